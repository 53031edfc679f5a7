"""The Porter stemmer, with the extensions of NLTK, which ``rouge-score`` uses.

Source: Porter 1980, "An algorithm for suffix stripping", Program 14(3), https://tartarus.org/martin/PorterStemmer/;
the deviations are NLTK's default mode, https://www.nltk.org/api/nltk.stem.porter.html, and marked with (N).
"""

from __future__ import annotations

_IRREGULAR = {
    "skies": "sky", "dying": "die", "lying": "lie", "tying": "tie", "innings": "inning", "outings": "outing",
    "cannings": "canning", "sky": "sky", "news": "news", "inning": "inning", "outing": "outing", "howe": "howe",
    "proceed": "proceed", "exceed": "exceed", "succeed": "succeed",
}  # fmt: skip

# Suffix and replacement; the first suffix that fits decides, whether or not its condition holds.
_STEP_1A = (("sses", "ss"), ("ies", "i"), ("ss", "ss"), ("s", ""))
_STEP_2 = (
    ("ational", "ate"), ("tional", "tion"), ("enci", "ence"), ("anci", "ance"), ("izer", "ize"), ("bli", "ble"),
    ("alli", "al"), ("entli", "ent"), ("eli", "e"), ("ousli", "ous"), ("ization", "ize"), ("ation", "ate"),
    ("ator", "ate"), ("alism", "al"), ("iveness", "ive"), ("fulness", "ful"), ("ousness", "ous"), ("aliti", "al"),
    ("iviti", "ive"), ("biliti", "ble"), ("fulli", "ful"),
)  # fmt: skip
_STEP_3 = (
    ("icate", "ic"), ("ative", ""), ("alize", "al"), ("iciti", "ic"), ("ical", "ic"), ("ful", ""), ("ness", ""),
)  # fmt: skip
_STEP_4 = (
    "al", "ance", "ence", "er", "ic", "able", "ible", "ant", "ement", "ment", "ent", "ion", "ou", "ism", "ate", "iti",
    "ous", "ive", "ize",
)  # fmt: skip


def stem(word: str) -> str:
    """The stem of a lower-case word."""
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if len(word) <= 2:
        return word
    for step in (_plural, _past, _final_y, _double_suffix, _single_suffix, _residual_suffix, _final_e, _final_ll):
        word = step(word)
    return word


def _shape(word: str) -> str:
    """The word as consonants and vowels: ``syzygy`` is ``cvcvcv``. A y is a vowel after a consonant."""
    shape = ""
    for letter in word:
        vowel = letter in "aeiou" or (letter == "y" and shape.endswith("c"))
        shape += "v" if vowel else "c"
    return shape


def _measure(word: str) -> int:
    """How often a vowel run is followed by a consonant run: m of [C](VC){m}[V]."""
    return _shape(word).count("vc")


def _ends_cvc(word: str) -> bool:
    """Ends consonant, vowel, consonant other than w, x, y; (N) or is vowel, consonant."""
    shape = _shape(word)
    return (shape.endswith("cvc") and word[-1] not in "wxy") or shape == "vc"


def _replaced(word: str, rules: tuple[tuple[str, str], ...], least: int) -> str:
    """Apply the first rule whose suffix fits, if the measure of what remains is at least ``least``."""
    for suffix, replacement in rules:
        if word.endswith(suffix):
            remains = word[: -len(suffix)]
            return remains + replacement if _measure(remains) >= least else word
    return word


def _plural(word: str) -> str:
    if word.endswith("ies") and len(word) == 4:
        return word[:-1]  # (N) dies: die
    return _replaced(word, _STEP_1A, least=0)


def _past(word: str) -> str:
    if word.endswith("ied"):
        return word[:-1] if len(word) == 4 else word[:-2]  # (N) died: die, spied: spi
    if word.endswith("eed"):
        return word[:-1] if _measure(word[:-3]) else word
    for suffix in ("ed", "ing"):
        remains = word[: -len(suffix)]
        if word.endswith(suffix) and "v" in _shape(remains):
            return _restored(remains)
    return word


def _restored(word: str) -> str:
    """Tidy what stands before a removed -ed or -ing: conflat-e, hopp: hop, fil-e."""
    if word.endswith(("at", "bl", "iz")):
        return word + "e"
    if len(word) >= 2 and word[-1] == word[-2] and _shape(word)[-1] == "c":
        return word if word[-1] in "lsz" else word[:-1]
    return word + "e" if _measure(word) == 1 and _ends_cvc(word) else word


def _final_y(word: str) -> str:
    # (N) only after a consonant that is not the whole stem: happy: happi, but enjoy and by stay
    if word.endswith("y") and len(word) > 2 and _shape(word[:-1])[-1] == "c":
        return word[:-1] + "i"
    return word


def _double_suffix(word: str) -> str:
    if word.endswith("alli") and _measure(word[:-4]):
        return _double_suffix(word[:-2])  # (N) the rest of -alli is looked at again
    if word.endswith("logi"):
        return word[:-1] if _measure(word[:-3]) else word  # (N) the l counts with the stem: geo-logi
    return _replaced(word, _STEP_2, least=1)


def _single_suffix(word: str) -> str:
    return _replaced(word, _STEP_3, least=1)


def _residual_suffix(word: str) -> str:
    for suffix in _STEP_4:
        if word.endswith(suffix):
            remains = word[: -len(suffix)]
            fits = _measure(remains) > 1 and (suffix != "ion" or remains[-1] in "st")
            return remains if fits else word
    return word


def _final_e(word: str) -> str:
    if not word.endswith("e"):
        return word
    measure = _measure(word[:-1])
    return word[:-1] if measure > 1 or (measure == 1 and not _ends_cvc(word[:-1])) else word


def _final_ll(word: str) -> str:
    return word[:-1] if word.endswith("ll") and _measure(word[:-1]) > 1 else word
