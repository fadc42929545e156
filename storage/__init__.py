"""Where records are kept: the log, snapshots, refusals, accounts and the audit trail.

`SqliteStore` and `MemoryStore` keep `storage.ports.Store`; nothing outside this package says SQL.
"""

from storage.backups import Restored, restore
from storage.engine import StoreSettings
from storage.errors import (
    AnnouncementNotFound,
    LoginNotFound,
    NumbersHeld,
    PatientWaits,
    RecordExists,
    RecordNotFound,
    StorageError,
    StoreCorrupt,
    StoreIncompatible,
    StoreUnavailable,
    UserExists,
    UserNotFound,
    VersionConflict,
)
from storage.memory import MemoryStore
from storage.ports import (
    Announcements,
    ChangeFilter,
    Directory,
    Ending,
    Hearer,
    Login,
    RecordFilter,
    RecordHead,
    Records,
    Store,
    StoredAnnouncement,
    StoredChange,
    StoredRecord,
    User,
)
from storage.sqlite import SqliteStore
from storage.update_log import Break

__all__ = [
    "AnnouncementNotFound",
    "Announcements",
    "Break",
    "ChangeFilter",
    "Directory",
    "Ending",
    "Hearer",
    "Login",
    "LoginNotFound",
    "MemoryStore",
    "NumbersHeld",
    "PatientWaits",
    "RecordExists",
    "RecordFilter",
    "RecordHead",
    "RecordNotFound",
    "Records",
    "Restored",
    "SqliteStore",
    "StorageError",
    "Store",
    "StoreCorrupt",
    "StoreIncompatible",
    "StoreSettings",
    "StoreUnavailable",
    "StoredAnnouncement",
    "StoredChange",
    "StoredRecord",
    "User",
    "UserExists",
    "UserNotFound",
    "VersionConflict",
    "restore",
]
