"""The one table: every error that a caller can meet has a status, a close code and a type."""

import io
import json

import msgspec
import pytest

import permissions.errors
import storage.errors
import sync.errors
from permissions.model import Rule
from server import errors
from server.errors import EditRefused, FieldViolation
from server.logs import configure_logs
from server.problems import (
    PROBLEMS,
    close_code_of,
    kind_of,
    problem_of,
    report_incident,
    status_of_rules,
    violation_of_decoding,
)
from tests.server.builders import CHANGE


def leaves(module: object) -> list[type[BaseException]]:
    names = module.__all__  # type: ignore[attr-defined]
    kinds = [getattr(module, name) for name in names]
    errors_ = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, Exception)]
    return [kind for kind in errors_ if not kind.__subclasses__()]


@pytest.mark.parametrize(
    "kind",
    [*leaves(errors), *leaves(storage.errors), *leaves(sync.errors), *leaves(permissions.errors)],
)
def test_every_error_of_every_package_has_a_row_in_the_table(kind: type[BaseException]) -> None:
    assert any(ancestor in PROBLEMS for ancestor in kind.__mro__)


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (errors.NotSignedIn("Sign in first."), 401, 4401),
        (errors.TooManyAttempts(7), 429, 4429),
        (errors.NotAllowed("No."), 403, 4403),
        (errors.OriginNotAllowed(), 403, 4403),
        (errors.VersionMismatch(7, [CHANGE]), 412, 4409),
        (errors.PreconditionRequired(), 428, 4400),
        (errors.RequestTooLarge(10), 413, 4413),
        (errors.Overloaded("Busy."), 503, 4503),
        (storage.errors.RecordNotFound(), 404, 4404),
        (storage.errors.StoreUnavailable("disk full"), 503, 4503),
        (storage.errors.StoreCorrupt("a row is missing"), 500, 4503),
        (sync.errors.FrameTooLarge(), 413, 4413),
        (sync.errors.MalformedUpdate(), 400, 4400),
        (sync.errors.ForeignClientId(5), 409, 4409),
        (sync.errors.HealingExhausted(), 409, 4409),
        (sync.errors.DocumentSuspect(), 503, 1012),
        (KeyError("amina"), 500, 1012),
    ],
)
def test_errors_become_their_status_and_close_code(
    error: Exception, status: int, code: int
) -> None:
    assert (problem_of(error).status, close_code_of(error)) == (status, code)


@pytest.mark.parametrize("rule", list(Rule))
def test_every_rule_of_a_refusal_has_a_status(rule: Rule) -> None:
    assert status_of_rules([rule]) in (403, 409, 422)


def test_what_is_not_yours_comes_before_what_is_locked_before_what_is_wrong() -> None:
    assert status_of_rules([Rule.RANGE, Rule.ROLE, Rule.LOCKED]) == 403
    assert status_of_rules([Rule.RANGE, Rule.LOCKED]) == 409
    assert status_of_rules([Rule.RANGE]) == 422


def test_a_refused_edit_names_each_field_with_rule_and_reason() -> None:
    refused = EditRefused([FieldViolation("vitals.pulse", Rule.RANGE, "Too much.")])

    problem = json.loads(msgspec.json.encode(problem_of(refused)))

    assert problem["status"] == 422
    assert problem["errors"] == [{"field": "vitals.pulse", "rule": "range", "reason": "Too much."}]


def test_a_version_mismatch_says_where_the_record_stands() -> None:
    problem = problem_of(errors.VersionMismatch(7, [CHANGE]))

    assert problem.title == "Please refresh"
    assert problem.current_version == 7
    assert problem.changed == ("vitals.pulse",)


def test_an_unknown_error_leaks_nothing_and_is_found_by_its_incident() -> None:
    out = io.StringIO()
    log = configure_logs("json", "info", out)
    try:
        raise KeyError("Amina Example, 37.2")
    except KeyError as error:
        problem = report_incident(error, log, route="/api/records")

    line = json.loads(out.getvalue())
    assert "Amina" not in out.getvalue() + str(problem)
    assert line["incident"] == problem.incident
    assert line["error"] == "KeyError"
    assert line["place"].startswith("test_problems.py:")


def test_the_nearest_class_of_an_error_decides() -> None:
    class Fresh(storage.errors.RecordNotFound):
        pass

    assert kind_of(Fresh()).status == 404


class Form(msgspec.Struct, forbid_unknown_fields=True):
    kind: str
    count: int = 0


@pytest.mark.parametrize(
    ("body", "field", "rule"),
    [
        (b'{"kind": 3}', "kind", Rule.TYPE),
        (b'{"count": 3}', "kind", Rule.TYPE),
        (b'{"kind": "a", "secret": 1}', "secret", Rule.UNKNOWN_FIELD),
        (b"[]", "", Rule.TYPE),
    ],
)
def test_a_body_of_the_wrong_shape_names_the_field(body: bytes, field: str, rule: Rule) -> None:
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.json.decode(body, type=Form)

    violation = violation_of_decoding(caught.value)

    assert (violation.field, violation.rule) == (field, rule)
