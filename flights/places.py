"""What a traveller writes for a place: an airport's code, a city's code, or a city's name with its state or
country."""

from __future__ import annotations

import unicodedata

# USPS abbreviations (Publication 28, appendix B) of what the airports' table calls by its full name.
_STATES = """
AL Alabama|AK Alaska|AZ Arizona|AR Arkansas|CA California|CO Colorado|CT Connecticut|DE Delaware
DC District of Columbia|FL Florida|GA Georgia|HI Hawaii|ID Idaho|IL Illinois|IN Indiana|IA Iowa|KS Kansas
KY Kentucky|LA Louisiana|ME Maine|MD Maryland|MA Massachusetts|MI Michigan|MN Minnesota|MS Mississippi
MO Missouri|MT Montana|NE Nebraska|NV Nevada|NH New Hampshire|NJ New Jersey|NM New Mexico|NY New York
NC North Carolina|ND North Dakota|OH Ohio|OK Oklahoma|OR Oregon|PA Pennsylvania|PR Puerto Rico|RI Rhode Island
SC South Carolina|SD South Dakota|TN Tennessee|TX Texas|UT Utah|VT Vermont|VA Virginia|WA Washington
WV West Virginia|WI Wisconsin|WY Wyoming
"""
STATES = {
    entry[:2].lower(): entry[3:].lower() for line in _STATES.split("\n") for entry in line.split("|") if entry
}
# Letters of the Latin script that Unicode does not take apart into a letter and its accent.
_LIGATURES = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "\u0131": "i", "ß": "ss", "æ": "ae", "œ": "oe"}
)
_UNITED_STATES = dict.fromkeys(["usa", "united states", "united states of america"], "us")


def place_parameters(prefix: str, text: str) -> dict[str, str | list[str]]:
    """`text` as the search's parameters `<prefix>_code`, `_cities` and `_region` (empty where none)."""
    written = " ".join(text.split())
    city, _, region = (part.strip() for part in written.partition(","))
    name, region = city.lower(), region.lower()
    return {
        f"{prefix}_code": written.upper(),
        # The table has "St Louis" without its point, and nearly all names without accents ("Sao Paulo").
        f"{prefix}_cities": list(dict.fromkeys([name, name.replace(".", ""), _unaccented(name)])),
        f"{prefix}_region": STATES.get(region) or _UNITED_STATES.get(region, region),
    }


def _unaccented(name: str) -> str:
    """``são paulo`` -> ``sao paulo``, ``malmö`` -> ``malmo``."""
    parts = unicodedata.normalize("NFKD", name)
    return "".join(part for part in parts if not unicodedata.combining(part)).translate(_LIGATURES)
