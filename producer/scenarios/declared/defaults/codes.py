"""Forms of codes: regular expressions that values are drawn of, and short lists where a check digit is in them."""

from __future__ import annotations

from typing import Any

_HEX = "[0-9a-f]"
_BYTE = "(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"

FORMS: dict[str, str] = {
    "mac": f"({_HEX}{{2}}:){{5}}{_HEX}{{2}}",
    "ipv4": rf"(10|172|192|[2-9][0-9]|1[13-6][0-9])\.{_BYTE}\.{_BYTE}\.{_BYTE}",
    "ipv6": f"2001:db8(:[1-9a-f]{_HEX}{{0,3}}){{6}}",
    "uuid": f"{_HEX}{{8}}-{_HEX}{{4}}-4{_HEX}{{3}}-[89ab]{_HEX}{{3}}-{_HEX}{{12}}",
    "hex40": f"{_HEX}{{40}}",
    "hex64": f"{_HEX}{{64}}",
    "hex128": f"{_HEX}{{128}}",
    "md5": f"{_HEX}{{32}}",
    "hex16": f"{_HEX}{{16}}",
    "crypto_address": f"0x{_HEX}{{40}}",
    "crypto_hash": f"0x{_HEX}{{64}}",
    "bcrypt": r"\$2b\$12\$[./A-Za-z0-9]{53}",
    "traceparent": f"00-[1-9a-f]{_HEX}{{31}}-[1-9a-f]{_HEX}{{15}}-0[01]",
    "opaque": "[A-Za-z0-9]{24}",
    "call_sign": "[A-Z]{3}[1-9][0-9]{1,3}",
    "digits6": "[4-5][0-9]{5}",
    "digits9": "[1-9][0-9]{8}",
    "digits13": "[1-9][0-9]{12}",
    "digits18": "[1-9][0-9]{17}",
    "letters4": "[A-Z]{4}",
    "letter": "[ABCDFJMNYZ]",
    "digits4": "[1-9][0-9]{3}",
    "digits5": "[1-9][0-9]{4}",
    "mti": "0(100|110|200|210|400|410|800)",
    "answer of a card": "(00|00|00|00|05|14|51|54|91)",
    "lei": "(5299|5493|9695|2138)00[A-Z0-9]{12}[0-9]{2}",
    "imo": "9[0-9]{6}",
    "mmsi": "2[0-7][0-9]{7}",
    "tail": "(N[1-9][0-9]{2}[A-Z]{2}|OE-L[A-Z]{2}|D-A[A-Z]{3}|G-[A-Z]{4})",
    "terminal": "[1-5A-E]",
    "grade": "(L|G|E)[1-9]",
    "line_of_transit": "([1-9][0-9]?[AB]?|[SU][1-9])",
    "short_code": "[A-Z]{2}[1-9][0-9]{3}",
    "squawk": "[0-7]{4}",
    "jwt": r"eyJ[A-Za-z0-9]{20}\.eyJ[A-Za-z0-9]{40}\.[A-Za-z0-9]{43}",
    "approval": "[0-9A-Z]{6}",
    "version": r"[1-9]\.[0-9]{1,2}\.[0-9]{1,2}",
    "short_version": r"1\.[0-3]",
    "phone": r"\+(1|43|44|49|33) [2-9][0-9]{2} [0-9]{3} [0-9]{4}",
    "msisdn": "(1|43|44|49|33)[2-9][0-9]{9}",
    "ssn": "[1-8][0-9]{2}-[1-9][0-9]-[1-9][0-9]{3}",
    "tax": "[1-9][0-9]-[0-9]{7}",
    "passport": "[A-Z][0-9]{8}",
    "plate": "[A-Z]{2}-[1-9][0-9]{2,3}[A-Z]{1,2}",
    "vin": "1[A-HJ-NPR-Z]{2}[A-HJ-NPR-Z0-9]{6}[0-9A-HJ-NPR-Z]{2}[0-9]{6}",
    "imei": "35[0-9]{13}",
    "imsi": "(26201|23410|31026)[0-9]{10}",
    "iccid": "89[0-9]{17,18}",
    "masked_card": r"4[0-9]{5}\*{6}[0-9]{4}",
    "last_digits": "[0-9]{4}",
    "card_expiry": "(0[1-9]|1[0-2])/(2[7-9]|3[01])",
    "cvv": "[1-9][0-9]{2}",
    "bic": "[A-Z]{4}(DE|AT|FR|GB|US)[A-Z0-9]{2}(XXX)?",
    "ticker": "[A-Z]{3,4}",
    "cusip": "[0-9]{3}[0-9A-Z]{5}[0-9]",
    "sku": "[A-Z]{2}-[0-9]{3}-[A-Z]{2}",
    "hs": "(84|85|61|62|90)[0-9]{4,8}",
    "isrc": "(AT|DE|US|GB)[A-Z]{3}2[0-5][0-9]{5}",
    "pnr": "[A-HJ-NP-Z2-9]{6}",
    "flight": "(OS|LH|BA|AF|UA|DL|KL)[1-9][0-9]{1,3}",
    "seat": "[1-3]?[1-9][A-F]",
    "gate": "[A-F][1-9][0-9]?",
    "house_number": "[1-9][0-9]{0,2}[a-c]?",
    "cve": "CVE-20(1[5-9]|2[0-5])-[1-9][0-9]{3,4}",
    "ndc": "[0-9]{4}-[0-9]{4}-[0-9]{2}",
    "fips": "[0-5][0-9]{4}",
    "npi": "1[0-9]{9}",
    "academic_year": "20(1[5-9]|2[0-5])",
    "promo": "[A-Z]{4,6}[1-9][05]",
    "hex_colour": f"#{_HEX}{{6}}",
    "coordinates": r"-?[1-7][0-9]\.[0-9]{4},-?1?[0-9]{2}\.[0-9]{4}",
    "json": r'\{"key":"[a-z]{4,8}","value":[1-9][0-9]{0,3}\}',
    "url": r"https://www\.example\.(com|org|net)/[a-z]{3,8}(/[a-z0-9-]*[a-z0-9]{2,6}){1,2}",
    "image_url": r"https://images\.example\.(com|net)/[a-z]{3,8}/[0-9a-f]{12}\.(jpg|png|webp)",
    "url_path": "/(cart|product|search|account|checkout|api/v[12]|help)(/[a-z]{3,8}|/[1-9][0-9]{1,4})?",
    "file_path": r"/(var/log|usr/bin|opt/app|home/[a-z]{4,7}|data)(/[a-z]{3,8}){1,2}(\.(log|txt|csv|conf|json))?",
    "file_name": r"[a-z]{4,9}(-[0-9]{2,4})?\.(csv|log|pdf|json|png|txt)",
    "host": r"(web|api|db|cache|worker|kafka|edge)-[0-9]{2}\.(example|internal)\.(com|net|org)",
    "domain": r"(www\.)?(shop|news|blog|app|travel|media)[a-z]{0,6}\.example\.(com|org|net)",
    "arn": "arn:aws:(s3|ec2|lambda|sqs):eu-central-1:[1-9][0-9]{11}:[a-z]{4,9}",
    "apn": r"(internet|iot|mms|web)\.(mobile|operator|carrier)\.(com|net)",
    "pod": "(checkout|orders|payments|search|catalog|frontend)-[0-9a-f]{8}-[a-z0-9]{5}",
    "container_name": "(checkout|orders|payments|search|nginx|redis|postgres)(-[1-9])?",
    "request_line": r"(GET|GET|GET|POST|PUT) /(cart|product|search|login|api/v1/[a-z]{4,8})(/[1-9][0-9]{0,3})? HTTP/1\.1",
    "topic": r"(orders|payments|shipments|customers|clicks)\.(created|updated|events)\.v[1-3]",
    "sql": r"(SELECT \* FROM|DELETE FROM) (orders|customers|payments|items) WHERE id = [1-9][0-9]{0,4}",
    "ddl": r"(CREATE TABLE|ALTER TABLE|DROP TABLE|TRUNCATE TABLE) (orders|customers|payments|items)(_[0-9]{1,3})?",
    "user_agent": (
        r"Mozilla/5\.0 \((Windows NT 10\.0; Win64; x64|Macintosh; Intel Mac OS X 10_15_7|X11; Linux x86_64|Linux; Android 14)\) "
        r"(AppleWebKit/537\.36 \(KHTML, like Gecko\) Chrome/1[0-3][0-9]\.0\.0\.0 Safari/537\.36|Gecko/20100101 Firefox/1[0-3][0-9]\.0)"
    ),
    "stack_trace": (
        r"(IllegalState|NullPointer|Timeout|IO)Exception: (connection reset by peer|no value for key|deadline passed|record is too large)"
        r" at org\.example\.(orders|payments)\.[A-Z][a-z]{4,8}\.[a-z]{3,6}\([A-Z][a-z]{4,8}\.java:[1-9][0-9]{1,2}\)"
    ),
    "bytes32": f"{_HEX}{{32}}",
}  # fmt: skip

# What identifies somebody or something that is met again.
MET_OFTEN = frozenset(
    {
        "phone",
        "msisdn",
        "imsi",
        "iccid",
        "crypto_address",
        "sku",
        "vin",
        "plate",
        "npi",
        "ssn",
        "tax",
        "lei",
        "imo",
        "mmsi",
        "tail",
        "passport",
        "digits6",
        "digits9",
        "digits13",
        "letters4",
        "short_code",
    }
)


def luhn_digit(digits: str) -> str:
    """Return the check digit of ISO/IEC 7812-1."""
    doubled = [int(one) * (2 - place % 2) for place, one in enumerate(reversed(digits))]
    return str(-sum(number - 9 * (number > 9) for number in doubled) % 10)


def gs1_digit(digits: str) -> str:
    """Return the check digit of GS1's article numbers."""
    return str(-sum(int(one) * (3 - 2 * (place % 2)) for place, one in enumerate(reversed(digits))) % 10)


def iban(country: str, account: str) -> str:
    """Return an account number of ISO 13616 with its two check digits."""
    number = "".join(str(int(one, 36)) for one in f"{account}{country}00")
    return f"{country}{98 - int(number) % 97:02d}{account}"


def isin(country: str, security: str) -> str:
    """Return a security's number of ISO 6166 with its check digit."""
    digits = "".join(str(int(one, 36)) for one in country + security)
    return f"{country}{security}{luhn_digit(digits)}"


def container(owner: str, serial: str) -> str:
    """Return a container's number of ISO 6346 with its check digit."""
    values = [int(one) if one.isdigit() else _letter(one) for one in owner + serial]
    return f"{owner}{serial}{sum(value << place for place, value in enumerate(values)) % 11 % 10}"


def _letter(one: str) -> int:
    """Multiples of 11 are left out of the values of letters."""
    number = ord(one) - 55
    return number + (number > 10) + (number > 20) + (number > 30)


def _spread(count: int, width: int) -> list[str]:
    """Return numbers of a width, as far from each other as if drawn, the same on every machine."""
    return [f"{(place * 2_654_435_761 + 97_531_246_8) % 10**width:0{width}d}" for place in range(1, count + 1)]


def checked() -> dict[str, list[Any]]:
    """Return lists of codes whose last digits check the others."""
    eleven = _spread(200, 11)
    cards = [f"4{digits[:3]}55{digits[3:]}0" for digits in eleven]
    cards = [one[:15] for one in cards]
    return {
        "card_number": [one + luhn_digit(one) for one in cards],
        "card_number_whole": [int(one + luhn_digit(one)) for one in cards],
        "imei": [f"35{one}0" + luhn_digit(f"35{one}0") for one in eleven],
        "ean": [f"4{one}" + gs1_digit(f"4{one}") for one in eleven],
        "upc": [one + gs1_digit(one) for one in eleven],
        "isbn": [f"978{one[:9]}" + gs1_digit(f"978{one[:9]}") for one in eleven],
        "iban": [
            iban(("AT", "DE")[place % 2], one + ("12345", "1234567")[place % 2]) for place, one in enumerate(eleven)
        ],
        "isin": [isin(("US", "DE", "AT")[place % 3], one[:9]) for place, one in enumerate(eleven)],
        "container": [container(("MSCU", "TGHU", "HLXU")[place % 3], one[:6]) for place, one in enumerate(eleven)],
    }
