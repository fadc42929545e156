"""What the rest of the house needs of a store; `sqlite` and `memory` keep it (contract suite).

All calls are coroutines and raise `storage.errors`. An answer means: it is on disk.
"""

from storage.ports.announcements import Announcements, Hearer, StoredAnnouncement
from storage.ports.directory import Directory, Ending, Login, User
from storage.ports.emergencies import Emergencies, Emergency
from storage.ports.records import (
    ChangeFilter,
    ConflictFilter,
    FoundRefusal,
    RecordFilter,
    RecordHead,
    RecordName,
    Records,
    RefusalFilter,
    SoundRecord,
    StepCount,
    StoredChange,
    StoredRecord,
)
from storage.ports.store import AuditFilter, Store

__all__ = [
    "Announcements",
    "AuditFilter",
    "ChangeFilter",
    "ConflictFilter",
    "Directory",
    "Emergencies",
    "Emergency",
    "Ending",
    "FoundRefusal",
    "Hearer",
    "Login",
    "RecordFilter",
    "RecordHead",
    "RecordName",
    "Records",
    "RefusalFilter",
    "SoundRecord",
    "StepCount",
    "Store",
    "StoredAnnouncement",
    "StoredChange",
    "StoredRecord",
    "User",
]
