"""Environment over file over defaults, and errors that name the file or the variable."""

from pathlib import Path

import pytest

from server.settings import Settings
from server.settings_sources import SettingsError, describe, load_settings


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_without_file_and_environment_the_defaults_stand() -> None:
    assert load_settings({}) == Settings()


def test_the_environment_stands_over_the_file_and_that_over_the_default(tmp_path: Path) -> None:
    (tmp_path / "fieldchart.toml").write_text("port = 9000\ndrain_seconds = 3\n")

    settings = load_settings({"FIELDCHART_PORT": "9001", "PATH": "/bin"})

    assert (settings.port, settings.drain_seconds) == (9001, 3.0)


def test_the_command_line_stands_over_everything() -> None:
    assert load_settings({"FIELDCHART_PORT": "9001"}, overrides={"port": 9002}).port == 9002
    assert load_settings({"FIELDCHART_PORT": "9001"}, overrides={"port": None}).port == 9001


def test_lists_come_separated_by_commas() -> None:
    settings = load_settings({"FIELDCHART_ALLOWED_ORIGINS": "https://a.example, https://b.example"})

    assert settings.allowed_origins == ("https://a.example", "https://b.example")


@pytest.mark.parametrize(
    ("environment", "named"),
    [
        ({"FIELDCHART_PORT": "http"}, "FIELDCHART_PORT"),
        ({"FIELDCHART_PORT": "70000"}, "FIELDCHART_PORT"),
        ({"FIELDCHART_PROT": "1"}, "FIELDCHART_PROT"),
        ({"FIELDCHART_MAX_FRAME_BYTES": "99999999"}, "ws_max_size_bytes"),
        ({"FIELDCHART_TLS_CERT": "cert.pem"}, "tls_key"),
        ({"FIELDCHART_CONFIG": "missing.toml"}, "missing.toml"),
    ],
)
def test_a_wrong_variable_is_named(environment: dict[str, str], named: str) -> None:
    with pytest.raises(SettingsError, match=named):
        load_settings(environment)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('port = "9000"', "fieldchart.toml: port"),
        ("prot = 9000", "fieldchart.toml: unknown setting 'prot'"),
        ("port = = 1", "fieldchart.toml: not valid TOML"),
    ],
)
def test_a_wrong_line_of_the_file_is_named(tmp_path: Path, text: str, named: str) -> None:
    (tmp_path / "fieldchart.toml").write_text(text)

    with pytest.raises(SettingsError, match=named):
        load_settings({})


def test_every_setting_has_a_meaning_and_a_unit() -> None:
    for row in describe(Settings()):
        assert row.meaning.endswith((".", ")"))
        assert row.unit
        assert row.variable == f"FIELDCHART_{row.name.upper()}"


def test_the_defaults_are_those_of_the_contract() -> None:
    settings = Settings()

    assert settings.bounds().max_frame_bytes == 4 * 1024 * 1024
    assert settings.bounds().max_structs == 20_000
    assert settings.bounds().max_nesting == 32
    assert (settings.max_value_bytes, settings.max_narrative_bytes) == (65_536, 1_048_576)
    assert settings.max_record_bytes == 16 * 1024 * 1024
    assert (settings.login_idle_seconds, settings.login_max_seconds) == (43_200, 2_592_000)
    assert settings.login_failures == 5
    assert settings.refused_fields_per_minute == 600
    assert settings.ws_max_size_bytes > settings.max_frame_bytes
