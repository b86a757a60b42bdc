"""Names of containers: the rule they follow, and one for those who gave none."""

from __future__ import annotations

import random
import re

from gateway.errors import Conflict, InvalidParameter

_CHANCE = random.Random()  # noqa: S311 - names are no secrets

_ALLOWED = "[a-zA-Z0-9][a-zA-Z0-9_.-]"
_NAME = re.compile(f"{_ALLOWED}+")

_ADJECTIVES = """
    agile amber ample apt arctic astral balmy bold brisk bright calm candid cheery civil clear clever coral cosmic
    crisp dapper daring deft dewy eager earnest elated fabled fair fleet fond frank fresh gallant gentle gilded
    glad golden grand hardy hazel hearty humble ideal jolly jovial keen kind lively loyal lucid lunar mellow merry
    mighty modest neat nimble noble opal patient placid plucky polite proud prudent quiet rapid ready regal robust
    rosy rustic sage serene sharp silver smart snug solar sonic spry stable steady sturdy sunny swift tidy trusty
    upbeat valiant velvet verdant vivid warm wise witty zesty
""".split()  # noqa: SIM905 - a hundred quoted words read worse

_SURNAMES = """
    abel agnesi ampere anning apgar babbage bell bernoulli bohr boole borlaug bose brahe burnell cannon cantor
    carson carver celsius chandra clarke copernicus crick curie daly darwin davy descartes dijkstra dirac doppler
    earhart edison ehrlich eratosthenes euclid euler faraday fermat fermi feynman fourier franklin galilei gauss
    germain godel goodall gray haber halley hamilton hawking heaviside herschel hertz hodgkin hooke hopper hubble
    huygens hypatia jackson jemison joule kepler khwarizmi kovalevskaya lamarr lavoisier leavitt leibniz liskov
    lovelace maxwell mcclintock meitner mendel mirzakhani morse napier nash newton noether ohm pascal pasteur
    pauling perlman planck poincare ptolemy ramanujan ride rubin sagan salk shannon sinclair somerville stibitz
    tesla thompson torvalds turing volta watt wiles wright wu yalow yonath
""".split()  # noqa: SIM905


def check_name(name: str) -> str:
    """Return a container's name without its leading slash. Raises InvalidParameter with dockerd's sentence."""
    plain = name.removeprefix("/")
    if not _NAME.fullmatch(plain):
        raise InvalidParameter(f"Invalid container name ({name}), only {_ALLOWED} are allowed")
    return plain


def random_name() -> str:
    """Make up a name such as ``brisk_noether``; it may be taken, then draw again."""
    return f"{_CHANCE.choice(_ADJECTIVES)}_{_CHANCE.choice(_SURNAMES)}"


def name_conflict(name: str, holder_id: str) -> Conflict:
    """Make dockerd's error for a name that another container has; the CLI shows it as it is."""
    return Conflict(
        f'Conflict. The container name "/{name}" is already in use by container "{holder_id}". '
        "You have to remove (or rename) that container to be able to reuse that name."
    )
