"""What a traveller writes for a place: an airport's code, a city's code, or a city's name with its state or
country."""

from __future__ import annotations

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
_UNITED_STATES = dict.fromkeys(["usa", "united states", "united states of america"], "us")


def place_parameters(prefix: str, text: str) -> dict[str, str]:
    """`text` as the search's parameters `<prefix>_code`, `_city` and `_region` (empty where none)."""
    written = " ".join(text.split())
    city, _, region = (part.strip() for part in written.partition(","))
    region = region.lower()
    return {
        f"{prefix}_code": written.upper(),
        f"{prefix}_city": city,
        f"{prefix}_region": STATES.get(region) or _UNITED_STATES.get(region, region),
    }
