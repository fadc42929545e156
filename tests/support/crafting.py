"""Hand-made structs and the small clinic that hostile updates are sent to."""

from dataclasses import dataclass

from sync.gate import Limits
from sync.proposal import Proposal
from sync.structs import Deletes, Id, Kind, Struct
from sync.update import Update, decode_state_vector, utf16_length
from tests.support.clinic import BOUNDS, Clinic, Tablet, shows_registers
from tests.support.people import person
from tests.support.replicas import PyReplica, Replica, Shown, YjsProcess

__all__ = ["Scene", "gc", "insertion", "scene", "update_of", "writing"]


def writing(
    client: int,
    clock: int,
    value: object,
    *,
    root: str = "vitals",
    key: str | None = "pulse",
    origin: Id | None = None,
    right_origin: Id | None = None,
) -> Struct:
    """A struct that sets a key of a root map."""
    hangs = origin is not None or right_origin is not None
    return Struct(
        client, clock, 1, Kind.ANY, (value,), origin, right_origin,
        None if hangs else root, None if hangs else key, key is not None,
    )  # fmt: skip


def insertion(
    client: int,
    clock: int,
    text: str,
    *,
    root: str = "assessment.notes",
    origin: Id | None = None,
    right_origin: Id | None = None,
) -> Struct:
    """A struct that inserts into a root text."""
    hangs = origin is not None or right_origin is not None
    return Struct(
        client, clock, utf16_length(text), Kind.STRING, text, origin, right_origin,
        None if hangs else root,
    )  # fmt: skip


def gc(client: int, clock: int, length: int) -> Struct:
    return Struct(client, clock, length, Kind.GC)


def update_of(*structs: Struct, deletes: Deletes | None = None) -> Update:
    """An update as the decoder would hand it over, or as it never would."""
    by_client: dict[int, list[Struct]] = {}
    for struct in structs:
        by_client.setdefault(struct.client, []).append(struct)
    return Update(by_client, deletes or {})


@dataclass
class Scene:
    """A clinic with an attacker, and a nurse and a clinical officer who know nothing of it."""

    clinic: Clinic
    attacker: Tablet
    nurse: Tablet
    officer: Tablet

    def send(self, *structs: Struct, deletes: Deletes | None = None) -> Proposal:
        """Propose a hand-made update in the attacker's name."""
        return self.clinic.take(self.attacker, update_of(*structs, deletes=deletes))

    def outcome(self) -> Shown:
        """What everybody shows at rest: all bystanders, a fresh replica and the loaded room
        alike.
        """
        self.clinic.settle()
        fresh: list[Replica] = [self.clinic.fresh()]
        if not YjsProcess.missing():
            fresh.append(self.clinic.fresh(YjsProcess.shared().open(2**31 + 9)))
        for from_snapshot in (False, True):
            room = self.clinic.loaded(from_snapshot=from_snapshot)
            assert room.books.encode() == self.clinic.room.books.encode()
            fresh.append(PyReplica(2**31 + 11))
            fresh[-1].apply(room.document.encode())
        bystanders = [self.nurse.replica, self.officer.replica, *fresh]
        shown = [replica.show() for replica in bystanders]
        assert all(one == shown[0] for one in shown), shown
        assert not shown[0].pending
        assert not shown[0].extra
        assert not shows_registers(self.clinic.room)
        vectors = [decode_state_vector(replica.vector(), BOUNDS) for replica in bystanders]
        assert all(vector == vectors[0] for vector in vectors), vectors
        return shown[0]

    def sent(self) -> bytes:
        """Everything that was stored and told so far."""
        return b"".join(row.update + row.annotations for row in self.clinic.rows)


def scene(*roles: str, **limits: int) -> Scene:
    """A scene whose attacker has these roles; without any: a receptionist."""
    clinic = Clinic(Limits(**limits))
    stock: Replica
    stock = PyReplica(3002) if YjsProcess.missing() else YjsProcess.shared().open(3002)
    nurse = clinic.join(stock, person("N", "nurse"))
    officer = clinic.join(PyReplica(3003), person("C", "clinical_officer"))
    attacker = clinic.join(PyReplica(3001), person("A", *(roles or ("receptionist",))))
    return Scene(clinic, attacker, nurse, officer)
