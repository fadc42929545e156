"""Describes a profile as plain JSON, as the forms of one user need it (GET /api/profiles/{name}).

Fields that the user may not read are left out; `writable` says what this user may write by role: in
an open record, assigned, in the right step. It decides nothing: the policy does, on every write.
"""

from dataclasses import asdict
from typing import Any

from permissions.fields import EntryField, Event, Field, Metric, Section, Step
from permissions.model import Operation, Principal, RecordState
from permissions.policy import Policy
from permissions.profile import Profile
from permissions.values import ValueRules

__all__ = ["describe"]

Json = dict[str, Any]


def describe(profile: Profile, principal: Principal) -> Json:
    """The profile as JSON values, with what the principal may read and write."""
    policy = Policy(profile)
    return {
        "name": profile.name,
        "title": profile.title,
        "number_prefix": profile.number_prefix,
        "version": profile.version,
        "assignment_required": profile.assignment_required,
        "step_restricts_writing": profile.step_restricts_writing,
        "may_create": policy.may_create(principal).allowed,
        "roles": [{"id": role.id, "title": role.title} for role in profile.roles.values()],
        "powers": sorted(
            {
                power
                for role in profile.roles.values()
                if role.id in principal.roles
                for power in role.powers
            }
        ),
        "summary": {"title": list(profile.summary.title), "search": list(profile.summary.search)},
        "sections": [_section(one, policy, principal) for one in profile.sections.values()],
        "steps": [_step(profile, step) for step in profile.steps],
        "events": [_event(event) for event in profile.events.values()],
        "metrics": [_metric(metric) for metric in profile.metrics.values()],
    }


def _section(section: Section, policy: Policy, principal: Principal) -> Json:
    fields = [
        _field(field, policy, principal)
        for field in section.fields
        if policy.may_read(principal, field).allowed
    ]
    return {
        "name": section.name,
        "title": section.title,
        "kind": section.kind,
        "help": section.help,
        "writers": sorted(section.writers),
        "writable": any(field["writable"] for field in fields),
        "fields": fields,
    }


def _field(field: Field, policy: Policy, principal: Principal) -> Json:
    operation = Operation.ADD if field.kind == "entry" else Operation.WRITE
    # Asked of a record in the best state: assigned to the user, in a step of the field.
    state = RecordState(
        assigned=frozenset({principal.user_id}), current_step=min(field.steps, default=None)
    )
    described = {
        "name": field.name,
        "key": field.key,
        "root": field.root,
        "title": field.title,
        "kind": field.kind,
        "help": field.help,
        "code": field.code,
        "critical": field.critical,
        "append_only": field.append_only,
        "writers": sorted(field.writers),
        "writable": policy.decide(principal, operation, field, state).allowed,
        **_rules(field.rules),
    }
    if field.kind == "entry":
        described["at_least_one"] = list(field.at_least_one)
        described["entry_fields"] = [_entry_field(one) for one in field.entry_fields.values()]
    return described


def _entry_field(field: EntryField) -> Json:
    return {
        "key": field.key,
        "title": field.title,
        "required": field.required,
        "help": field.help,
        "code": field.code,
        "codes": {key: dict(codes) for key, codes in field.codes.items()},
        **_rules(field.rules),
    }


def _rules(rules: ValueRules) -> Json:
    return {
        "type": rules.type,
        "unit": rules.unit,
        "minimum": rules.minimum,
        "maximum": rules.maximum,
        "step": rules.step,
        "decimals": rules.decimals,
        "flags": {
            level: {key: limit for key, limit in asdict(flag).items() if limit is not None}
            for level, flag in rules.flags.items()
        },
        "options": [{"value": value, "title": title} for value, title in rules.options.items()],
        "pattern": rules.pattern,
        "pattern_title": rules.pattern_title,
        "refers_to": rules.refers_to,
        "max_bytes": rules.max_bytes,
    }


def _step(profile: Profile, step: Step) -> Json:
    return {
        "id": step.id,
        "title": step.title,
        "role": step.role,
        "optional": step.optional,
        "required": [
            {"any_of": list(one.any_of), "title": profile.requirement_title(one)}
            for one in step.required
        ],
        "next": list(step.next),
        "returns_to": list(step.returns_to),
        "expected_minutes": step.expected_minutes,
        "amber_minutes": step.amber_minutes,
        "red_minutes": step.red_minutes,
    }


def _event(event: Event) -> Json:
    return {
        "name": event.name,
        "title": event.title,
        "when": event.trigger,
        "of": event.subject,
        "audience": event.audience,
        "notify": list(event.notify),
        "carries": list(event.carries),
    }


def _metric(metric: Metric) -> Json:
    return {
        "name": metric.name,
        "title": metric.title,
        "measure": metric.measure,
        "of": metric.subject,
        "equals": metric.equals,
        "unit": metric.unit,
        "at_most": metric.at_most,
        "at_least": metric.at_least,
    }
