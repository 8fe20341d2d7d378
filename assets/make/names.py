"""Names of people and towns: real ones, made-up ones, and a reserved stock that no training text may use."""

from random import Random

from .lexicon import CITIES, FIRST_NAMES, LAST_NAMES

ONSETS = """b br c ch cl cr d dr f fl fr g gl gr h j k kl kr l m n p pl pr qu r s sh sk sl sm sn sp st t th tr v w y z
""".split()
VOWELS = "a e i o u ai ea ee ia io oa ou".split()
CODAS = ["", "", "", "", "", "", *"l l n n r r s m k t nd rn lm x v ck rt".split()]
TOWN_ENDINGS = "burg ton ford field wick mouth stad haven bridge dale vale port".split()

# One syllable core (onset and vowel) in five is kept for names that occur in no training text whatever.
_CORES = [onset + vowel for onset in ONSETS for vowel in VOWELS]
RESERVED = frozenset(_CORES[2::5])


def _weighted(cores: list[str]) -> list[str]:
    """Short cores more often than heavy ones such as "shou", so that most names look like names."""
    return [core for core in cores for _ in range(max(1, 9 - 3 * (len(core) - 1)))]


RESERVED_CORES = _weighted([core for core in _CORES if core in RESERVED])
OPEN_CORES = _weighted([core for core in _CORES if core not in RESERVED])
RESERVED_TOWN_ENDINGS = "mere holm gate".split()
MAX_LETTERS = 9


def _word(rng: Random, cores: list[str], syllables: int) -> str:
    """A pronounceable word of at most MAX_LETTERS letters."""
    while True:
        word = "".join(rng.choice(cores) + rng.choice(CODAS) for _ in range(syllables))
        if 3 <= len(word) <= MAX_LETTERS:
            return word.capitalize()


def made_up_name(rng: Random) -> str:
    """A made-up name of one to three syllables that training text may use."""
    return _word(rng, OPEN_CORES, rng.choice((1, 2, 2, 2, 3)))


def made_up_town(rng: Random) -> str:
    """A made-up town that training text may use."""
    if rng.random() < 0.35:
        return _word(rng, OPEN_CORES, 1) + rng.choice(TOWN_ENDINGS)
    return _word(rng, OPEN_CORES, rng.choice((2, 2, 3)))


def reserved_person(rng: Random) -> str:
    """First and last name from the reserved stock: for held-out rows only."""
    return f"{_word(rng, RESERVED_CORES, 2)} {_word(rng, RESERVED_CORES, 2)}"


def reserved_town(rng: Random) -> str:
    """A town from the reserved stock: for held-out rows only."""
    if rng.random() < 0.35:
        return _word(rng, RESERVED_CORES, 1) + rng.choice(RESERVED_TOWN_ENDINGS)
    return _word(rng, RESERVED_CORES, 2)


def first_name(rng: Random, made_up: float = 0.5) -> str:
    """A first name, made up with the given probability."""
    return made_up_name(rng) if rng.random() < made_up else rng.choice(FIRST_NAMES)


def last_name(rng: Random, made_up: float = 0.5) -> str:
    """A last name, made up with the given probability."""
    return made_up_name(rng) if rng.random() < made_up else rng.choice(LAST_NAMES)


def person(rng: Random, made_up: float = 0.5) -> str:
    """First and last name, each made up with the given probability."""
    return f"{first_name(rng, made_up)} {last_name(rng, made_up)}"


def town(rng: Random, made_up: float = 0.5) -> str:
    """A town, made up with the given probability."""
    return made_up_town(rng) if rng.random() < made_up else rng.choice(CITIES)
