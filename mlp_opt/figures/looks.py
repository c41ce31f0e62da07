"""One look an optimizer, the same in every picture: a colour that every kind of colour vision tells apart, and dashes."""

from __future__ import annotations

from typing import NamedTuple


class Look(NamedTuple):
    """matplotlib's color, linestyle and marker."""

    color: str
    line: str
    marker: str


# Okabe & Ito's colours for the rules of the notes; those of the same family share the colour and differ in dashes and marker.
LOOKS: dict[str, Look] = {
    "sgd": Look("#000000", "-", "o"),
    "momentum": Look("#0072B2", "-", "s"),
    "nesterov": Look("#0072B2", "--", "D"),
    "adagrad": Look("#E69F00", "-", "^"),
    "rmsprop": Look("#009E73", "-", "v"),
    "adam": Look("#D55E00", "-", "P"),
    "adamw": Look("#D55E00", "--", "X"),
    "nadam": Look("#D55E00", ":", "d"),
    "amsgrad": Look("#D55E00", "-.", "p"),
    "adamax": Look("#CC79A7", "--", "h"),
    "adadelta": Look("#E69F00", "--", "<"),
    "radam": Look("#CC79A7", "-", ">"),
    "lion": Look("#56B4E9", "-", "*"),
    "qhm": Look("#56B4E9", "--", "H"),
    "qhadam": Look("#CC79A7", ":", "8"),
}
OTHER = Look("#000000", "-", "o")  # of an optimizer without a look of its own

TRAIN, VALIDATION = "#0072B2", "#D55E00"  # the two parts of the data: Okabe & Ito, told apart by every kind of colour vision

# Of the minima in a map of basins, the lowest first: Okabe & Ito's colours, and one more.
BASINS = ["#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#7A5195"]
