"""Cities with their region, country, codes and position, so that the fields of one address belong together."""

from __future__ import annotations

import re
from typing import Any

from producer.scenarios.declared.defaults.field import Field

# city, region, its code, postcode, country, ISO 3166-1 alpha-2 and alpha-3, time zone, latitude, longitude
_TABLE = """
Portland|Oregon|OR|97201|United States|US|USA|America/Los_Angeles|45.52|-122.68
Austin|Texas|TX|73301|United States|US|USA|America/Chicago|30.27|-97.74
Columbus|Ohio|OH|43085|United States|US|USA|America/New_York|39.96|-83.00
Denver|Colorado|CO|80202|United States|US|USA|America/Denver|39.74|-104.99
Boston|Massachusetts|MA|02108|United States|US|USA|America/New_York|42.36|-71.06
Seattle|Washington|WA|98101|United States|US|USA|America/Los_Angeles|47.61|-122.33
Phoenix|Arizona|AZ|85001|United States|US|USA|America/Phoenix|33.45|-112.07
Atlanta|Georgia|GA|30303|United States|US|USA|America/New_York|33.75|-84.39
Madison|Wisconsin|WI|53703|United States|US|USA|America/Chicago|43.07|-89.40
Sacramento|California|CA|95814|United States|US|USA|America/Los_Angeles|38.58|-121.49
Albany|New York|NY|12207|United States|US|USA|America/New_York|42.65|-73.75
Nashville|Tennessee|TN|37201|United States|US|USA|America/Chicago|36.16|-86.78
Salt Lake City|Utah|UT|84101|United States|US|USA|America/Denver|40.76|-111.89
Tampa|Florida|FL|33602|United States|US|USA|America/New_York|27.95|-82.46
Graz|Styria|ST|8010|Austria|AT|AUT|Europe/Vienna|47.07|15.44
Linz|Upper Austria|OOE|4020|Austria|AT|AUT|Europe/Vienna|48.31|14.29
Munich|Bavaria|BY|80331|Germany|DE|DEU|Europe/Berlin|48.14|11.58
Hamburg|Hamburg|HH|20095|Germany|DE|DEU|Europe/Berlin|53.55|9.99
Cologne|North Rhine-Westphalia|NW|50667|Germany|DE|DEU|Europe/Berlin|50.94|6.96
Lyon|Auvergne-Rhone-Alpes|ARA|69001|France|FR|FRA|Europe/Paris|45.76|4.84
Lille|Hauts-de-France|HDF|59000|France|FR|FRA|Europe/Paris|50.63|3.06
Leeds|Yorkshire|YKS|LS1 4DY|United Kingdom|GB|GBR|Europe/London|53.80|-1.55
Bristol|South West England|SW|BS1 5TR|United Kingdom|GB|GBR|Europe/London|51.45|-2.59
Cardiff|Wales|WLS|CF10 1EP|United Kingdom|GB|GBR|Europe/London|51.48|-3.18
Turin|Piedmont|PIE|10121|Italy|IT|ITA|Europe/Rome|45.07|7.69
Bologna|Emilia-Romagna|EMR|40121|Italy|IT|ITA|Europe/Rome|44.49|11.34
Valencia|Valencia|VC|46001|Spain|ES|ESP|Europe/Madrid|39.47|-0.38
Bilbao|Basque Country|PV|48001|Spain|ES|ESP|Europe/Madrid|43.26|-2.93
Utrecht|Utrecht|UT|3511 AB|Netherlands|NL|NLD|Europe/Amsterdam|52.09|5.12
Ghent|East Flanders|VOV|9000|Belgium|BE|BEL|Europe/Brussels|51.05|3.72
Zurich|Zurich|ZH|8001|Switzerland|CH|CHE|Europe/Zurich|47.37|8.54
Gothenburg|Vastra Gotaland|VGT|411 03|Sweden|SE|SWE|Europe/Stockholm|57.71|11.97
Bergen|Vestland|VL|5003|Norway|NO|NOR|Europe/Oslo|60.39|5.32
Tampere|Pirkanmaa|PIR|33100|Finland|FI|FIN|Europe/Helsinki|61.50|23.76
Krakow|Lesser Poland|MA|31-002|Poland|PL|POL|Europe/Warsaw|50.06|19.94
Brno|South Moravia|JM|602 00|Czechia|CZ|CZE|Europe/Prague|49.20|16.61
Porto|Norte|NRT|4000-008|Portugal|PT|PRT|Europe/Lisbon|41.15|-8.61
Calgary|Alberta|AB|T2P 1J9|Canada|CA|CAN|America/Edmonton|51.05|-114.07
Halifax|Nova Scotia|NS|B3H 0A1|Canada|CA|CAN|America/Halifax|44.65|-63.58
Osaka|Kansai|KS|530-0001|Japan|JP|JPN|Asia/Tokyo|34.69|135.50
Sapporo|Hokkaido|HKD|060-0001|Japan|JP|JPN|Asia/Tokyo|43.06|141.35
Brisbane|Queensland|QLD|4000|Australia|AU|AUS|Australia/Brisbane|-27.47|153.03
Perth|Western Australia|WA|6000|Australia|AU|AUS|Australia/Perth|-31.95|115.86
Curitiba|Parana|PR|80010-000|Brazil|BR|BRA|America/Sao_Paulo|-25.43|-49.27
Pune|Maharashtra|MH|411001|India|IN|IND|Asia/Kolkata|18.52|73.86
Busan|Yeongnam|YN|48058|South Korea|KR|KOR|Asia/Seoul|35.18|129.08
Durban|KwaZulu-Natal|KZN|4001|South Africa|ZA|ZAF|Africa/Johannesburg|-29.86|31.02
Guadalajara|Jalisco|JAL|44100|Mexico|MX|MEX|America/Mexico_City|20.66|-103.35
"""
_COLUMNS = (
    "city",
    "region",
    "region_code",
    "postcode",
    "country",
    "alpha2",
    "alpha3",
    "timezone",
    "latitude",
    "longitude",
)
_ROWS = tuple(tuple(line.split("|")) for line in _TABLE.split("\n") if line)
# Whose address it is, where one record has several.
_WHOSE = r"^(billing|shipping|ship|home|work|office|origin|source|from|destination|to|delivery|pickup|dropoff|sender|receiver|departure|arrival|birth)\b"
WORLD, UNITED_STATES = "(places)", "(places of the US)"


def place_pools() -> dict[str, dict[str, Any]]:
    """Return the pools of places: all, and those of the United States."""
    american = [row for row in _ROWS if row[5] == "US"]
    return {WORLD: _pool(list(_ROWS)), UNITED_STATES: _pool(american)}


def _pool(rows: list[tuple[str, ...]]) -> dict[str, Any]:
    columns: dict[str, Any] = {}
    for place, name in enumerate(_COLUMNS):
        values = [row[place] for row in rows]
        columns[name] = {"cycle": [float(value) for value in values] if name in ("latitude", "longitude") else values}
    return {"size": len(rows), "skew": 0.5, "columns": columns}


def of_place(field: Field, column: str) -> tuple[str, str]:
    """Return pool and column of a part of an address.

    Places are of the United States where a state is named and no country.
    """
    american = field.is_near(r"\bstate\b") and not field.is_near(r"\b(country|nation)\b")
    return (UNITED_STATES if american else WORLD), column


def whose(field: Field) -> str:
    """Return whose address a part belongs to, as far as its name begins with it."""
    match = re.search(_WHOSE, field.says)
    return match[1] if match else ""
