"""Random days on a ward: people with tablets edit one record, links fail, the server crashes.

Every deed takes small numbers, so that Hypothesis and a seeded generator can drive it alike. After
each step and at rest the record is compared with the model (SPEC ROOM-1 to ROOM-4, LOG-3, ARB-1).
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from permissions.model import Principal
from sync.bench import LIVE
from sync.registers import MAX_TRAIL
from sync.structs import Kind
from sync.update import Update, decode_state_vector, decode_update
from tests.support.clinic import BOUNDS, Clinic, Message, Tablet, shows_registers
from tests.support.history_model import check_history
from tests.support.people import at, person, ulid
from tests.support.record_model import Lock, RecordModel
from tests.support.replicas import PyReplica, Replica, Shown, Step, YjsProcess

__all__ = ["FIELDS", "Ward"]

FIELDS = {
    "vitals.pulse": True,
    "vitals.systolic": True,
    "demographics.family_name": True,
    "vitals.glucose": False,
    "triage.complaint": False,
}
"""Keyed fields, and whether they are exact: never cleared."""

WRITERS = {
    "vitals": {"nurse"},
    "triage": {"nurse"},
    "demographics": {"receptionist"},
    "assessment.notes": {"nurse"},
    "diagnosis.plan": {"clinical_officer"},
    "prescriptions": {"clinical_officer"},
    "safety": {"nurse", "clinical_officer"},
}
TEXTS = ("assessment.notes", "diagnosis.plan")
NUMBERS = {"vitals.pulse": 20, "vitals.systolic": 40, "vitals.glucose": 0}


class Ward:
    """One clinic, six tablets of five people, and the model of what they did."""

    def __init__(self, client_ids: list[int], process: YjsProcess | None) -> None:
        self.process = process
        if process is not None:
            process.reset()
        self.clinic = Clinic()
        self.model = RecordModel(FIELDS, TEXTS)
        self.count = 0
        self.refused_values: list[object] = []
        self.pending_clears: list[tuple[bytes | None, int, Any]] = []
        self.pending_cuts: list[tuple[int, bytes | None, int, str, set[str]]] = []
        people = [
            person("N1", "nurse", login_id="N1a", device="da"),
            person("N1", "nurse", login_id="N1b", device="db"),
            person("N2", "nurse"),
            person("C1", "clinical_officer"),
            person("C2", "clinical_officer"),
            person("R", "receptionist"),
        ]
        for number, (client, who) in enumerate(zip(client_ids, people, strict=True)):
            stock = process is not None and number % 2 == 0
            self.clinic.join(self._replica(client, stock), who)
        self.clinic.write_facts(person("server"), current_step="triage", disputed=[])
        self.clinic.settle()

    def _replica(self, client: int, stock: bool) -> Replica:
        if stock:
            assert self.process is not None
            return self.process.open(client)
        return PyReplica(client)

    # -- deeds -----------------------------------------------------------------------------------

    def write(self, who: int, which: int, mode: int, skew: int = 0) -> None:
        """Set one field; mode 0: a value out of range."""
        self._transact(who, [self._writing(who, which, mode)], skew)

    def write_several(self, who: int, which: list[int], mode: int, skew: int = 0) -> None:
        """Set several fields and insert into a text, in one transaction."""
        self._transact(who, [self._writing(who, w, mode + i) for i, w in enumerate(which)], skew)

    def _writing(self, who: int, which: int, mode: int) -> Callable[[Shown], Step | None]:
        name = list(FIELDS)[which % len(FIELDS)]
        root, _, key = name.partition(".")
        self.count += 1
        good = mode % 4 != 0
        value: object
        if name in NUMBERS:
            value = NUMBERS[name] + self.count / 1024 if good else 5000 + self.count
        else:
            value = f"{key}-{self.count}" if good else ("long" * 1100 + str(self.count))
        tablet = self.clinic.tablets[who]

        def step(shown: Shown) -> Step:
            allowed = good and _may(tablet.person, root)
            basis = shown.maps[root].get(key)
            for _, _, clear in self.pending_clears:
                if clear.field == name and clear.tablet == who:
                    clear.absorbed = True
                    basis = basis if basis is not None else clear.basis.value
            self.model.note_write(name, value, who, tablet.person.user_id, allowed, basis)
            shown.maps[root][key] = value
            return "set", root, key, value

        return step

    def clear(self, who: int, which: int) -> None:
        names = [name for name, exact in FIELDS.items() if not exact]
        name = names[which % len(names)]
        root, _, key = name.partition(".")
        tablet = self.clinic.tablets[who]
        noted: list[Any] = []

        def step(shown: Shown) -> Step | None:
            basis = shown.maps[root].pop(key, None)
            if basis is None:
                return None
            allowed = _may(tablet.person, root)
            self.model.note_clear(name, who, tablet.person.user_id, allowed, basis)
            noted.append(self.model.fields[name].clears[-1])
            return "del", root, key

        updates = self._transact(who, [step])
        for clear in noted:
            sent = updates[-1] if updates and tablet.link is not None else None
            self.pending_clears.append((sent, tablet.edits, clear))

    def clear_exact(self, who: int, which: int) -> None:
        """Try to clear an exact field, by somebody who may not."""
        names = [name for name, exact in FIELDS.items() if exact]
        name = names[which % len(names)]
        root, _, key = name.partition(".")
        tablet = self.clinic.tablets[who]
        if _may(tablet.person, root):
            return

        def step(shown: Shown) -> Step | None:
            if shown.maps[root].get(key) is None:
                return None
            self.model.offences.add((tablet.person.user_id, name))
            return "del", root, key

        self._transact(who, [step])

    def add_entry(self, who: int, which: int, good: int) -> None:
        root = ("prescriptions", "safety")[which % 2]
        tablet = self.clinic.tablets[who]
        self.count += 1
        key = ulid(self.count)
        value: dict[str, object] = {("drug", "substance")[which % 2]: f"entry-{self.count}"}
        if not good:
            value["unheard_of"] = 1
        allowed = bool(good) and _may(tablet.person, root)
        self.model.entries.setdefault(root, {})[key] = value, who, allowed
        if not allowed:
            self.model.offences.add((tablet.person.user_id, f"{root}.{key}"))
        self._transact(who, [lambda shown: ("set", root, key, value)])

    def spoil_entry(self, who: int, which: int, how: int) -> None:
        """Overwrite or delete an entry that the tablet shows: nobody may, unless it never left."""
        tablet = self.clinic.tablets[who]
        shown = tablet.replica.show()
        keys = [
            (root, key)
            for root in ("prescriptions", "safety")
            for key in sorted(shown.maps[root])
            if self.model.entries[root][key][1] != who
        ]
        if not keys:
            return
        root, key = keys[which % len(keys)]
        self.model.offences.add((tablet.person.user_id, f"{root}.{key}"))
        step: Step = ("del", root, key) if how else ("set", root, key, {"drug": "spoilt"})
        self._transact(who, [lambda shown: step])

    def insert(self, who: int, which: int, where: int, how: int, mode: int = 1) -> None:
        self._transact(who, [self._inserting(who, which, where, how)])

    def _inserting(
        self, who: int, which: int, where: int, how: int
    ) -> Callable[[Shown], Step | None]:
        name = TEXTS[which % 2]
        tablet = self.clinic.tablets[who]

        def step(shown: Shown) -> Step:
            current = shown.texts[name]
            units = len(current.encode("utf-16-le", "surrogatepass")) // 2
            position = where % (units + 1)
            run = "".join(self._character(how + i) for i in range(how % 4 + 1))
            allowed = _may(tablet.person, name)
            text = self.model.texts[name]
            for character in run:
                text.authors[character] = who, allowed
            text.runs.append(run)
            if not allowed:
                self.model.offences.add((tablet.person.user_id, name))
            halved = _halved(current, position)
            if halved is not None and not isinstance(tablet.replica, PyReplica):
                text.cut.add(halved)
            return "insert", name, position, run

        return step

    def _character(self, how: int) -> str:
        """A character that nobody has entered before."""
        self.count += 1
        return (
            chr((0x4E00, 0x20000, 0xC0, 0x20000)[how % 4] + self.count)
            if how % 4 != 2
            else chr(0x1000 + self.count)
        )

    def cut(self, who: int, which: int, where: int, length: int) -> None:
        name = TEXTS[which % 2]
        tablet = self.clinic.tablets[who]
        gone: set[str] = set()

        def step(shown: Shown) -> Step | None:
            current = shown.texts[name]
            units = len(current.encode("utf-16-le", "surrogatepass")) // 2
            if not units:
                return None
            start = where % units
            stop = min(start + length % 5 + 1, units)
            allowed = _may(tablet.person, name)
            text = self.model.texts[name]
            if not allowed:
                self.model.offences.add((tablet.person.user_id, name))
            position = 0
            for character in current:
                width = 2 if character > "\uffff" else 1
                whole = start <= position and position + width <= stop
                touched = start < position + width and position < stop
                position += width
                if character == "\ufffd":
                    continue
                if touched and not whole:
                    text.cut.add(character)
                    text.attacked.add(character)
                elif whole and allowed:
                    gone.add(character)
                elif whole:
                    text.attacked.add(character)
            return "cut", name, start, stop - start

        updates = self._transact(who, [step])
        sent = updates[-1] if updates and tablet.link is not None else None
        if gone:
            self.pending_cuts.append((who, sent, tablet.edits, name, gone))

    def oddity(self, who: int, which: int) -> None:
        """What no honest client of ours would do, but a stock one can."""
        user = self.clinic.tablets[who].person.user_id
        self.count += 1
        step: Step = (
            ("set", "secrets", "key", f"odd-{self.count}"),
            ("set", "vitals", "unheard_of", f"odd-{self.count}"),
            ("set", "record", "status", "completed"),
            ("set", "record", "made_up", f"odd-{self.count}"),
            ("nest", "comments", ulid(self.count), f"odd-{self.count}"),
            ("nest", "comments", "no ulid", f"odd-{self.count}"),
            ("del", "record", "current_step"),
            ("format", "assessment.notes"),
            ("insert", "hidden.text", 0, f"odd-{self.count}"),
        )[which % 9]
        if step[0] == "del" and "current_step" not in self._show(who).maps["record"]:
            return
        self.model.offences.add((user, "*"))
        self._transact(who, [lambda shown: step])

    # -- links and time --------------------------------------------------------------------------

    def deliver(self, who: int, how_many: int) -> None:
        """Move messages of one link, both ways."""
        tablet = self.clinic.tablets[who]
        for _ in range(how_many):
            self._up(tablet, who)
            if self.clinic.step_down(tablet):
                self._check_authority(who)

    def go_offline(self, who: int) -> None:
        self.clinic.disconnect(self.clinic.tablets[who])

    def go_online(self, who: int) -> None:
        tablet = self.clinic.tablets[who]
        if tablet.link is None:
            self.clinic.connect(tablet)

    def lose(self, who: int) -> None:
        """Lose the tablet's next update on its way."""
        link = self.clinic.tablets[who].link
        if link is not None and link.up and link.up[0].kind == "update":
            link.up.popleft()

    def duplicate(self, who: int) -> None:
        """Let the tablet's next update arrive once more, later."""
        link = self.clinic.tablets[who].link
        if link is not None and link.up and link.up[0].kind == "update":
            link.up.append(link.up[0])

    def save_snapshot(self) -> None:
        self.clinic.save_snapshot()

    def crash(self, from_snapshot: bool) -> None:
        self._check_reload()
        self.clinic.crash(from_snapshot=from_snapshot)

    def facts(self, which: int) -> None:
        self.count += 1
        step = ("triage", "consultation")[which % 2]
        self.clinic.write_facts(person("server"), current_step=step, disputed=[str(self.count)])

    def resolve(self, which: int) -> None:
        """Let a supervisor decide one open conflict, by a value that nobody has written."""
        ids = [r.conflict_id for r in self.clinic.room.registers.values() if r.conflict_id]
        if not ids:
            return
        conflict_id = ids[which % len(ids)]
        name = self.clinic.conflicts[conflict_id].field
        self.count += 1
        value: object = f"decided-{self.count}"
        if name in NUMBERS:
            value = NUMBERS[name] + self.count / 1024
        self.model.note_decision(name, value, "S", at(self.clinic.now_s + 1))
        self.clinic.resolve(conflict_id, value, person("S", "supervisor"))
        wrong = shows_registers(self.clinic.room)
        assert not wrong, f"the document does not show the decided value of {wrong}"

    # -- checks ----------------------------------------------------------------------------------

    def rest(self) -> None:
        """Bring everybody together and compare all there is."""
        for _ in range(2):
            for who, tablet in enumerate(self.clinic.tablets):
                self.clinic.disconnect(tablet)
                self.go_online(who)
            moved = True
            while moved:
                moved = False
                for who, tablet in enumerate(self.clinic.tablets):
                    while tablet.link is not None and (tablet.link.up or tablet.link.down):
                        moved = True
                        self.deliver(who, 1)
            shown = [tablet.replica.show() for tablet in self.clinic.tablets]
            assert all(one == shown[0] for one in shown), f"they differ before they rest: {shown}"
        shown = [tablet.replica.show() for tablet in self.clinic.tablets]
        shown.append(self.clinic.fresh().show())
        if self.process is not None:
            shown.append(self.clinic.fresh(self.process.open(2**31 + 9)).show())
        for from_snapshot in (False, True):
            room = self.clinic.loaded(from_snapshot=from_snapshot)
            replica = PyReplica(2**31 + 11)
            replica.apply(room.document.encode())
            shown.append(replica.show())
        for place, register in self.clinic.room.registers.items():
            if place.name in self.model.fields and len(register.trail) == MAX_TRAIL:
                self.model.fields[place.name].forgetful = True
        self.model.check_rest(shown[-1])
        for number, one in enumerate(shown):
            assert one == shown[-1], f"replica {number} differs: {one} is not {shown[-1]}"
        check_history(self.clinic)
        vector = self.clinic.room.books.index.state_vector()
        for number, tablet in enumerate(self.clinic.tablets):
            held = decode_state_vector(tablet.replica.vector(), BOUNDS)
            assert held == vector, f"replica {number} has other clocks"
        self._check_reload()
        self._check_conflicts()
        self._check_refusals()

    def _check_reload(self) -> None:
        live = self.clinic.room
        for from_snapshot in (False, True):
            room = self.clinic.loaded(from_snapshot=from_snapshot)
            assert room.books.encode() == live.books.encode(), "the loaded books differ"
            assert (room.version, room.hash) == (live.version, live.hash)

    def _check_conflicts(self) -> None:
        of_field: dict[str, list[set[str]]] = {}
        for conflict in self.clinic.conflicts.values():
            of_field.setdefault(conflict.field, []).append({v.value for v in conflict.values})
        for name, model in self.model.fields.items():
            if not model.exact or model.unsure:
                continue
            conflicts = of_field.get(name, [])
            assert len(conflicts) == model.conflicts, f"{name}: {conflicts}"
            place = next((p for p in self.clinic.room.registers if p.name == name), None)
            open_id = None if place is None else self.clinic.room.registers[place].conflict_id
            assert (open_id is not None) == bool(model.contenders), f"{name}: open or not?"
            if model.contenders and not model.overflowed:
                assert model.standing is not None
                wanted = {_json(w.value) for w in (*model.contenders, model.standing)}
                assert conflicts[-1] == wanted, f"{name}: {conflicts[-1]} is not {wanted}"

    def _check_refusals(self) -> None:
        offenders = {user for user, name in self.model.offences if name == "*"}
        kept: list[object] = []
        for refusal in self.clinic.refusals:
            known = (refusal.author, refusal.field) in self.model.offences
            assert known or refusal.author in offenders, f"false refusal: {refusal}"
            for structs in decode_update(refusal.original, BOUNDS).structs.values():
                for struct in structs:
                    if struct.kind == Kind.ANY and isinstance(struct.content, tuple):
                        kept.append(struct.content[0])
        for value in self.refused_values:
            assert kept.count(value) == 1, f"{value} was refused {kept.count(value)} times"

    # -- inside ----------------------------------------------------------------------------------

    def _show(self, who: int) -> Shown:
        return self.clinic.tablets[who].replica.show()

    def _check_authority(self, who: int) -> None:
        self.model.check_authority(who, self._show(who))

    def _transact(
        self, who: int, doings: list[Callable[[Shown], Step | None]], skew: int = 0
    ) -> list[bytes]:
        tablet = self.clinic.tablets[who]
        shown = self._show(who)
        steps = [step for doing in doings if (step := doing(shown)) is not None]
        if not steps:
            return []
        written_at: datetime | None = at(self.clinic.now_s - skew) if skew else None
        return tablet.edit(*steps, written_at=written_at)

    def _up(self, tablet: Tablet, who: int) -> None:
        link = tablet.link
        if link is None or not link.up:
            return
        message = link.up[0]
        arriving = at(self.clinic.now_s + 1)
        known = self.clinic.room.books.index.state_vector()
        proposal = self.clinic.step_up(tablet)
        if proposal is None or proposal.gap is not None:
            return
        assert not proposal.exhausted
        written_at = message.written_at or arriving
        update = decode_update(message.payload, BOUNDS)
        for client, structs in update.structs.items():
            # What it repeats may have arrived before, without what its author wrote over since.
            structs[:] = [one for one in structs if one.end > known.get(client, 0)]
        locks = self._locks_met(message, who, arriving)
        self.refused_values += self.model.arrive(update, written_at, locks)
        self._refuse_words(update, who, locks)
        self._resolve_clears(message, who, written_at, locks)
        wrong = shows_registers(self.clinic.room)
        assert not wrong, f"the document does not show the standing value of {wrong}"

    def _locks_met(self, message: Message, who: int, arriving: datetime) -> dict[str, Lock]:
        """The fields that others hold while this message arrives."""
        written_at, user = message.written_at or arriving, self.clinic.tablets[who].person.user_id
        fresh = message.kind == "update" and arriving - written_at <= LIVE
        return self._locks_of_others(user, written_at, arriving, fresh)

    def _locks_of_others(
        self, user: str, written_at: datetime, arriving: datetime, fresh: bool
    ) -> dict[str, Lock]:
        people = [tablet.person for tablet in self.clinic.tablets]
        return {
            name: Lock(
                people.index(hold.holder), hold.holder.user_id, hold.acquired_at,
                fresh and written_at >= hold.acquired_at,
            )
            for name, hold in self.clinic.holds.items()
            if hold.holder.user_id != user and not hold.is_over(arriving)
        }  # fmt: skip

    def _refuse_words(self, update: Update, who: int, locks: dict[str, Lock]) -> None:
        """What was typed live into a narrative that somebody else holds was refused."""
        words = {
            character
            for structs in update.structs.values()
            for struct in structs
            if struct.kind == Kind.STRING
            for character in str(struct.content)
        }
        for name, lock in locks.items():
            text = self.model.texts.get(name)
            if text is not None and lock.refuses:
                tried = words & text.authors.keys()
                text.authors.update((character, (who, False)) for character in tried)
                if tried:
                    self._offend(who, name)

    def _offend(self, who: int, name: str) -> None:
        self.model.offences.add((self.clinic.tablets[who].person.user_id, name))

    def _resolve_clears(
        self, message: Message, who: int, written_at: datetime, locks: dict[str, Lock]
    ) -> None:
        left: list[tuple[bytes | None, int, Any]] = []
        for sent, made, clear in self.pending_clears:
            if clear.tablet == who and sent == message.payload and clear.is_of_something():
                clear.written_at = written_at
            elif clear.tablet == who and message.kind == "step2" and message.edits >= made:
                # Written over before it was sent: nobody can tell it from overwriting. Or undone by
                # a correction that crossed it: then it looks like an echo, and may count or not.
                clear.written_at = None if clear.absorbed else written_at
                clear.certain = False
            else:
                left.append((sent, made, clear))
        self.pending_clears = left
        waiting: list[tuple[int, bytes | None, int, str, set[str]]] = []
        for tablet, sent, made, name, characters in self.pending_cuts:
            text = self.model.texts[name]
            if tablet == who and sent == message.payload:
                if name in locks and locks[name].refuses:
                    # What had not arrived comes deleted.
                    put_back = characters & set(self.clinic.room.document.text(name))
                    text.attacked |= put_back
                    text.deleted |= characters - put_back
                    self._offend(who, name)
                else:
                    text.deleted |= characters
            elif tablet == who and message.kind == "step2" and message.edits >= made:
                # What a refused deletion took and the server put back meanwhile looks like an echo.
                text.deleted |= characters - text.attacked
                text.cut |= characters & text.attacked
            else:
                waiting.append((tablet, sent, made, name, characters))
        self.pending_cuts = waiting


def _may(who: Principal, root: str) -> bool:
    return bool(who.roles & WRITERS[root])


def _halved(text: str, position: int) -> str | None:
    """The character whose two halves an insertion at a UTF-16 position would part."""
    at_unit = 0
    for character in text:
        if character > "\uffff" and at_unit + 1 == position:
            return character
        at_unit += 2 if character > "\uffff" else 1
    return None


def _json(value: object) -> str:
    import msgspec

    return msgspec.json.encode(value).decode()
