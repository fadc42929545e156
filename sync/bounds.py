"""The named limits on what a peer may send; each is checked before memory is allocated for it."""

import msgspec

__all__ = ["Bounds"]


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """Limits on one frame and what it holds. Sizes are bytes on the wire.

    max_frame_bytes: one WebSocket message; larger ones close with 4413 (contract, section 4).
    max_structs: structs of one update; the gate's work is linear in it.
    max_delete_ranges: ranges of one delete set. Wider, because a SyncStep2 repeats every deletion
        its author has ever seen, and a busy narrative leaves thousands.
    max_nesting: containers inside containers of one value; pycrdt overflows its stack at about
        20,000, and a record needs three.
    max_value_bytes: one value of a field. Judged by the gate, which refuses the field with rule
        `size`; the codec does not end a connection for it.
    max_narrative_bytes: the text of one narrative; judged by the gate likewise.
    max_value_items: entries of all arrays, objects and content lists of one update; a Python
        object costs up to 60 times its two bytes on the wire.
    max_name_bytes: names of roots, map keys, format keys, nodes and subdocuments.
    max_clock: the end of the last struct of a client. Yrs keeps clocks in 32 bits and wraps
        silently (a clock of 2^32 arrives as 0), and adds lengths to them: one bit is left free.
    max_client_id: yjs draws 32 bits, Yrs 53; above 2^53 Yrs drops bits silently.
    max_state_vector_entries: one per browser tab that ever wrote in the record.
    max_awareness_bytes: the state of one awareness entry.
    max_awareness_entries: clients of one awareness message; stock clients relay all they know.
    max_journal_entries: clock ranges of one journal message.
    max_journal_text_bytes: each text of a journal entry: instant, log-in, seal.
    max_reason_bytes: the text of an auth message.
    """

    max_frame_bytes: int = 4 * 1024 * 1024
    max_structs: int = 20_000
    max_delete_ranges: int = 100_000
    max_nesting: int = 32
    max_value_bytes: int = 64 * 1024
    max_narrative_bytes: int = 1024 * 1024
    max_value_items: int = 500_000
    max_name_bytes: int = 256
    max_clock: int = 2**31 - 1
    max_client_id: int = 2**53 - 1
    max_state_vector_entries: int = 20_000
    max_awareness_bytes: int = 4096
    max_awareness_entries: int = 1024
    max_journal_entries: int = 20_000
    max_journal_text_bytes: int = 256
    max_reason_bytes: int = 1024
