"""Decides who may do what to which field of a record, and why.

Default deny: what no rule of the profile allows is refused, and every answer carries its reason.
Must never look at values (Field.violation does) or at the clock.
"""

from permissions.fields import Field, Power, Role, Step
from permissions.model import Decision, Operation, Principal, RecordState, Rule
from permissions.profile import Profile

__all__ = ["Policy"]

CACHE_SIZE = 16_384
"""Decisions kept: 40 sets of roles on a profile of 100 fields; past it the cache starts afresh."""

_UNKNOWN_FIELD = Decision(False, Rule.UNKNOWN_FIELD, "This kind of record has no such field.")
_UNKNOWN_STEP = Decision(False, Rule.UNKNOWN_FIELD, "This kind of record has no such step.")
_COMPLETED = Decision(
    False,
    Rule.COMPLETED,
    "The record is completed and signed; it takes no more edits, only new entries that amend it.",
)
_CANCELLED = Decision(False, Rule.COMPLETED, "The record is cancelled; it takes no more edits.")
_NOT_WHOLE = Decision(
    False, Rule.ROLE, "The record holds fields that you may not read; open it without syncing."
)
_BY_POWER = frozenset({Rule.ROLE, Rule.ASSIGNMENT, Rule.STEP})
_UNASSIGNED = Decision(False, Rule.ASSIGNMENT, "You are not assigned to this record.")


class Policy:
    """The decisions of one profile. Pure but for a bounded cache; shared by every room."""

    __slots__ = ("_decisions", "_profile", "_state_matters", "_whole_readers")

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self._state_matters = profile.assignment_required or profile.step_restricts_writing
        self._whole_readers: dict[frozenset[str], bool] = {}
        self._decisions: dict[tuple[frozenset[str], Operation, str], Decision] = {}

    @property
    def profile(self) -> Profile:
        """The profile that is enforced."""
        return self._profile

    def decide(
        self, principal: Principal, operation: Operation, field: Field | None, state: RecordState
    ) -> Decision:
        """Whether the principal may do this to the field of a record in this state.

        field: as Profile.field_at gave it; None is no field, which nobody may write.
        An allowing decision names the role that allows it.
        """
        if field is None:
            return _UNKNOWN_FIELD
        amends = operation is Operation.AMEND and state.status == "completed"
        if state.status != "open" and not amends:
            return _CANCELLED if state.status == "cancelled" else _COMPLETED
        key = (principal.roles, operation, field.name)
        decision = self._decisions.get(key)
        if decision is None:
            decision = self._remember(key, field)
        if self._state_matters and decision.allowed:
            return self._restricted(decision, principal, field, state)
        return decision

    def may_step(self, principal: Principal, step: Step | None, state: RecordState) -> Decision:
        """Whether the principal may start, complete or return this step of an open record.

        Whether the workflow allows it now is `sync.workflow`'s question.
        """
        if step is None:
            return _UNKNOWN_STEP
        if state.status != "open":
            return _CANCELLED if state.status == "cancelled" else _COMPLETED
        for role in self._roles_of(principal):
            if role.id != step.role:
                continue
            if (
                self._profile.assignment_required
                and role.needs_assignment
                and principal.user_id not in state.assigned
            ):
                return _UNASSIGNED
            return _allowed_as(role, f"may do {step.title}")
        return self._no_role(principal, f"do {step.title}")

    def decide_with(
        self,
        principal: Principal,
        operation: Operation,
        field: Field | None,
        state: RecordState,
        power: Power,
    ) -> Decision:
        """`decide`; or the power, where only role, assignment or step stand against the principal.

        No power opens a closed record or changes what is only added to.
        """
        decision = self.decide(principal, operation, field, state)
        if decision.allowed or decision.rule not in _BY_POWER:
            return decision
        by_power = self.may(principal, power)
        return by_power if by_power.allowed else decision

    def may_open(self, principal: Principal, state: RecordState) -> Decision:
        """Whether the principal may open a record: read it and join its room, in any status."""
        openers = [role for role in self._roles_of(principal) if role.opens_records]
        if not openers:
            return self._no_role(principal, "open these records")
        if self._profile.assignment_required and principal.user_id not in state.assigned:
            openers = [role for role in openers if not role.needs_assignment]
            if not openers:
                return _UNASSIGNED
        return _allowed_as(openers[0], "may open the record")

    def may_join(self, principal: Principal, state: RecordState) -> Decision:
        """Whether the principal may sync the document: whoever does gets all of it, field by field.

        Where the profile keeps a field from some readers, those read the record over REST instead.
        """
        decision = self.may_open(principal, state)
        if decision.allowed and not self._reads_all(principal.roles):
            return _NOT_WHOLE
        return decision

    def _reads_all(self, roles: frozenset[str]) -> bool:
        known = self._whole_readers.get(roles)
        if known is None:
            if len(self._whole_readers) >= CACHE_SIZE:
                self._whole_readers.clear()
            fields = self._profile.fields.values()
            known = self._whole_readers[roles] = all(roles & field.readers for field in fields)
        return known

    def may_create(self, principal: Principal) -> Decision:
        """Whether the principal may create records: the first step's role, or by the power."""
        first = self._profile.steps[0].role
        for role in self._roles_of(principal):
            if role.id == first or "create_records" in role.powers:
                return _allowed_as(role, "may create records")
        return self._no_role(principal, "create these records")

    def may(self, principal: Principal, power: Power) -> Decision:
        """Whether one of the principal's roles has the power, e.g. "break_locks"."""
        for role in self._roles_of(principal):
            if power in role.powers:
                return _allowed_as(role, f"may {power.replace('_', ' ')}")
        return self._no_role(principal, power.replace("_", " "))

    def may_read(self, principal: Principal, field: Field | None) -> Decision:
        """Whether the principal may read the field of a record that is open to them."""
        if field is None:
            return _UNKNOWN_FIELD
        for role in self._roles_of(principal):
            if role.id in field.readers:
                return _allowed_as(role, f"may read {field.title}")
        return self._no_role(principal, f"read {field.refusal_noun}")

    def _remember(self, key: tuple[frozenset[str], Operation, str], field: Field) -> Decision:
        if self._profile.fields.get(field.name) is not field:
            return _UNKNOWN_FIELD
        if len(self._decisions) >= CACHE_SIZE:
            self._decisions.clear()
        roles, operation, _ = key
        decision = self._decisions[key] = self._by_role(roles, operation, field)
        return decision

    def _by_role(self, roles: frozenset[str], operation: Operation, field: Field) -> Decision:
        if (refusal := _wrong_operation(operation, field)) is not None:
            return refusal
        own = self._known(roles)
        for role in own:
            if role.id in field.writers:
                return _allowed_as(role, f"may write {field.refusal_noun}")
        return Decision(False, Rule.ROLE, self._not_theirs(own, f"write {field.refusal_noun}"))

    def _restricted(
        self, decision: Decision, principal: Principal, field: Field, state: RecordState
    ) -> Decision:
        """The allowing decision, unless assignment or step stand against every role it rests on."""
        if self._profile.assignment_required and principal.user_id not in state.assigned:
            writers = [
                role
                for role in self._roles_of(principal)
                if role.id in field.writers and not role.needs_assignment
            ]
            if not writers:
                return _UNASSIGNED
            decision = _allowed_as(writers[0], f"may write {field.refusal_noun}")
        if self._profile.step_restricts_writing and field.steps and state.status == "open":
            if state.current_step not in field.steps:
                return Decision(
                    False, Rule.STEP, f"{field.section_title} is not written in the current step."
                )
        return decision

    def _roles_of(self, principal: Principal) -> list[Role]:
        return self._known(principal.roles)

    def _known(self, roles: frozenset[str]) -> list[Role]:
        """Those of the roles that the profile has, in its order."""
        return [role for id, role in self._profile.roles.items() if id in roles]

    def _no_role(self, principal: Principal, deed: str) -> Decision:
        return Decision(False, Rule.ROLE, self._not_theirs(self._roles_of(principal), deed))

    def _not_theirs(self, own: list[Role], deed: str) -> str:
        if not own:
            return f"None of your roles has a part in {self._profile.title}."
        who = " and ".join(_plural_in_sentence(role, first=role is own[0]) for role in own)
        return f"{who} do not {deed}."


def _wrong_operation(operation: Operation, field: Field) -> Decision | None:
    """The refusal of an operation that no role may do to a field of this kind."""
    match field.kind, operation:
        case "entry", Operation.ADD | Operation.AMEND:
            return None
        case "entry", _:
            reason = f"{field.title}: entries are not changed; a correction is a new entry."
            return Decision(False, Rule.APPEND_ONLY, reason)
        case _, Operation.WRITE:
            return None
        case _, Operation.DELETE:
            if not field.append_only:
                return None
            reason = f"{field.title} is only added to; nothing is removed from it."
            return Decision(False, Rule.APPEND_ONLY, reason)
    return Decision(False, Rule.TYPE, f"{field.title} does not hold entries.")


def _allowed_as(role: Role, deed: str) -> Decision:
    return Decision(True, None, f"{role.title} {deed}.", role.id)


def _plural_in_sentence(role: Role, *, first: bool) -> str:
    return role.plural if first else role.plural[:1].lower() + role.plural[1:]
