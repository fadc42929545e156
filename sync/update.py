"""The codec of Yjs updates, v1 encoding: the one import place for decoding, encoding and slicing.

Pure and without pycrdt. Decoding is strict and bounded (`update_decode`), encoding canonical
(`update_encode`): what is stored and relayed is written here, never a peer's bytes.
"""

from sync.ranges import merge_deletes
from sync.slicing import slice_struct, utf16_length
from sync.structs import Update
from sync.update_decode import decode_state_vector, decode_steps, decode_update
from sync.update_encode import encode_state_vector, encode_update

__all__ = [
    "Update",
    "decode_state_vector",
    "decode_steps",
    "decode_update",
    "encode_state_vector",
    "encode_update",
    "merge_deletes",
    "slice_struct",
    "utf16_length",
]
