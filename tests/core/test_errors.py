import inspect

from noria.core import errors
from noria.core.errors import NoriaError


def classes() -> list[type[NoriaError]]:
    found = [item for item in vars(errors).values() if inspect.isclass(item) and issubclass(item, NoriaError)]
    return sorted(found, key=lambda item: item.__name__)


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    drawn = [
        line.split("──")[-1].split()[0]
        for line in errors.__doc__.splitlines()
        if "── " in line or "NoriaError " in line
    ]
    assert sorted(drawn) == [item.__name__ for item in classes()]


def test_codes_are_unique_and_every_error_has_a_status() -> None:
    codes = [item.code for item in classes()]
    assert len(set(codes)) == len(codes)
    assert all(400 <= item("x").status <= 599 for item in classes())


def test_the_sentence_says_what_was_kept_and_what_to_do() -> None:
    error = errors.Conflict("The port is taken.", kept="Nothing was started.", hint="Choose another with --port.")
    assert str(error) == "The port is taken. Nothing was started. Choose another with --port."


def test_a_refusal_keeps_the_providers_status() -> None:
    assert errors.CallRefused("no", status=429, retryable=True).retryable
    assert errors.CallRefused("no", status=401).status == 401
    assert errors.CallCut("cut").retryable
    assert not errors.InvalidInput("x").retryable
    assert errors.NotAllowed("foreign origin", status=403).status == 403
    assert errors.Unavailable("busy", retry_after_s=3).retry_after_s == 3
    assert errors.CallTimeout("late").status == 504
