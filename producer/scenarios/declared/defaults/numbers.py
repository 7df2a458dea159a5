"""What a number is: by its unit, by its name, by what is around it. The first reading that fits counts."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from producer.scenarios.declared.defaults.field import Field


def _uniform(low: float, high: float, digits: int = 2) -> dict[str, Any]:
    return {"kind": "uniform", "low": low, "high": high, "round": digits}


def _normal(mean: float, sd: float, low: float, high: float, digits: int = 1) -> dict[str, Any]:
    return {"kind": "normal", "mean": mean, "sd": sd, "min": low, "max": high, "round": digits}


def _skewed(median: float, sigma: float, low: float, high: float, digits: int = 2) -> dict[str, Any]:
    return {"kind": "lognormal", "median": median, "sigma": sigma, "min": low, "max": high, "round": digits}


def _few(mean: float, low: float = 0, high: float = 40) -> dict[str, Any]:
    return {"kind": "poisson", "mean": mean, "min": low, "max": high}


PRICE = _skewed(30, 0.8, 0.5, 5000)
# What the table below calls its values.
_KINDS: dict[str, dict[str, Any]] = {
    # shares
    "share": _uniform(0, 1, 4),
    "percent": _uniform(0, 100, 1),
    "signed percent": _normal(0.4, 3, -20, 20, 2),
    "score of 100": _normal(70, 15, 0, 100),
    "stars": _uniform(1, 5, 1),
    "nps": _uniform(0, 10, 0),
    "gpa": _normal(3, 0.5, 0, 4, 2),
    "fico": _normal(690, 70, 300, 850, 0),
    # money
    "money": PRICE,
    "property price": _skewed(320_000, 0.4, 60_000, 3_000_000, 0),
    "salary": _skewed(52_000, 0.35, 18_000, 400_000, 0),
    "pay": _skewed(24, 0.3, 9, 150),
    "bonus": _skewed(2_500, 0.7, 100, 50_000, 0),
    "stock price": _skewed(60, 0.9, 0.5, 4000),
    "exchange rate": _skewed(1.1, 0.2, 0.4, 3, 4),
    "cents": _skewed(3_000, 0.8, 50, 500_000, 0),
    "micro money": _skewed(3_000_000, 0.8, 50_000, 500_000_000, 0),
    "balance": _skewed(1_800, 1, 0, 250_000),
    "large money": _skewed(250_000, 1, 1_000, 50_000_000, 0),
    "cpm": _skewed(2.2, 0.6, 0.05, 80),
    # counts
    "few": _few(2),
    "quantity": _few(2, 1, 40),
    "people": _few(2, 1, 9),
    "stock": _skewed(80, 0.8, 0, 1000, 0),
    "many": _skewed(400, 1.4, 0, 2_000_000, 0),
    "steps": _normal(6_500, 3_000, 0, 40_000, 0),
    "points": _skewed(300, 1, 0, 100_000, 0),
    "place in a list": _uniform(1, 20, 0),
    "version": _uniform(1, 5, 0),
    "years": _skewed(5, 0.7, 0, 60, 0),
    "flag": _uniform(0, 1, 0),
    # identifiers and codes
    "offset": _uniform(0, 50_000_000, 0),
    "partition": _uniform(0, 11, 0),
    "pid": _uniform(2, 32_768, 0),
    "cvv": _uniform(100, 999, 0),
    "mnc": _uniform(1, 99, 0),
    "zip": _uniform(10_000, 99_999, 0),
    "phone": _uniform(2_010_000_000, 9_899_999_999, 0),
    "error code": _uniform(1, 60, 0),
    "syslog severity": _uniform(0, 7, 0),
    "log severity": _uniform(1, 24, 0),
    "level of ten": _uniform(1, 10, 0),
    "port": _uniform(1_024, 65_535, 0),
    "asn": _uniform(1_000, 64_000, 0),
    # calendar
    "age": _normal(42, 15, 18, 95, 0),
    "birth year": _uniform(1940, 2007, 0),
    "year": _uniform(1990, 2025, 0),
    "month": _uniform(1, 12, 0),
    "quarter": _uniform(1, 4, 0),
    "week": _uniform(1, 52, 0),
    "day": _uniform(1, 28, 0),
    "day of year": _uniform(1, 365, 0),
    "day of week": _uniform(1, 7, 0),
    "hour": _uniform(0, 23, 0),
    "minute": _uniform(0, 59, 0),
    # spans of time
    "ns": _skewed(2_000_000, 1.2, 1_000, 60_000_000_000, 0),
    "us": _skewed(2_000, 1.2, 1, 60_000_000, 0),
    "ms": _skewed(120, 1.1, 1, 600_000, 0),
    "seconds": _skewed(120, 1, 1, 86_400, 0),
    "long seconds": _skewed(200_000, 1, 60, 10_000_000, 0),
    "minutes": _skewed(25, 0.8, 1, 2_000, 0),
    "hours": _skewed(6, 0.8, 1, 500, 1),
    "days": _skewed(12, 0.9, 0, 700, 0),
    "delay minutes": _normal(6, 12, -20, 240, 0),
    # where and how fast
    "latitude": _uniform(-60, 70, 6),
    "longitude": _uniform(-180, 180, 6),
    "altitude": _skewed(300, 0.8, 0, 8_000, 1),
    "bearing": _uniform(0, 359.9, 1),
    "declination": _uniform(-90, 90, 5),
    "right ascension": _uniform(0, 359.99, 5),
    "steering": _normal(0, 60, -540, 540, 1),
    "angle": _uniform(-90, 90, 2),
    "m/s": _skewed(6, 0.7, 0, 60, 2),
    "km/h": _skewed(50, 0.5, 0, 250, 1),
    "acceleration": _normal(0, 0.6, -8, 8, 4),
    "metres": _skewed(800, 1.1, 0, 40_000, 1),
    "kilometres": _skewed(12, 1, 0, 2_000, 1),
    "odometer": _skewed(60_000, 0.7, 10, 500_000, 0),
    "dilution": _skewed(1.2, 0.4, 0.5, 20, 1),
    # bodies
    "heart rate": _normal(76, 14, 40, 190, 0),
    "breaths": _normal(15, 3, 6, 40, 1),
    "oxygen": _normal(97, 1.2, 88, 100, 1),
    "body temperature": _normal(36.8, 0.5, 35, 41, 1),
    "systolic": _normal(122, 14, 85, 200, 0),
    "diastolic": _normal(77, 9, 50, 120, 0),
    "glucose": _normal(105, 25, 50, 400, 0),
    "bmi": _normal(25.5, 4, 15, 50, 1),
    "body height": _normal(171, 10, 140, 210, 1),
    "body weight": _normal(76, 14, 38, 180, 1),
    "variability": _normal(48, 18, 8, 180, 1),
    "energy of food": _skewed(320, 0.7, 1, 4_000, 0),
    "grams": _skewed(20, 0.8, 0, 400, 1),
    "dose": _skewed(50, 1, 0.5, 2_000, 1),
    # things that are measured
    "temperature c": _normal(18, 7, -25, 42),
    "temperature f": _normal(64, 13, -15, 110),
    "temperature k": _normal(291, 7, 240, 320),
    "engine temperature": _normal(88, 8, 10, 130),
    "deviation": _normal(0, 0.8, -4, 4, 2),
    "hpa": _normal(1013, 9, 960, 1050),
    "kpa": _normal(101.3, 1, 95, 106, 2),
    "pascal": _normal(101_300, 900, 95_000, 106_000, 0),
    "psi": _normal(33, 3, 15, 60, 1),
    "bar": _normal(2.3, 0.4, 0.5, 12, 2),
    "co2": _skewed(560, 0.3, 390, 4_000, 0),
    "dust": _skewed(9, 0.7, 0, 300, 1),
    "decibels": _normal(55, 10, 25, 110, 1),
    "signal": _normal(-75, 12, -120, -30, 0),
    "signal to noise": _normal(9, 5, -15, 40, 1),
    "millivolts": _normal(3_700, 200, 2_900, 4_250, 0),
    "volts": _normal(230, 3, 210, 250, 1),
    "amperes": _skewed(4, 0.7, 0, 100, 2),
    "milliamperes": _skewed(120, 0.7, 0, 5_000, 1),
    "watts": _skewed(450, 0.9, 0, 50_000, 1),
    "kilowatts": _skewed(2.5, 0.8, 0, 500, 3),
    "kilowatt hours": _skewed(9, 0.8, 0, 2_000, 3),
    "grid": _normal(50, 0.03, 49.5, 50.5, 3),
    "hertz": _skewed(440, 0.8, 1, 20_000, 1),
    "lux": _skewed(300, 1.1, 0, 100_000, 0),
    "uv": _uniform(0, 11, 1),
    "rain": _skewed(1.5, 1, 0, 120, 1),
    "rpm": _normal(2_100, 700, 600, 7_000, 0),
    "cadence": _normal(84, 9, 40, 130, 0),
    "gear": _uniform(1, 6, 0),
    "weight": _skewed(4, 1.1, 0.05, 900, 2),
    "area": _skewed(85, 0.5, 12, 1_500, 1),
    "volume": _skewed(3, 1, 0.01, 900, 2),
    "centimetres": _skewed(40, 0.7, 1, 400, 1),
    "millimetres": _skewed(12, 0.9, 0.1, 900, 2),
    "magnitude": _normal(18.5, 1.4, 10, 25, 3),
    "uncertainty": _skewed(0.08, 0.6, 0.001, 2, 4),
    "arcsec": _skewed(1.2, 0.3, 0.3, 6, 3),
    "acidity": _normal(6.9, 0.6, 3, 11, 2),
    "vegetation": _normal(0.5, 0.2, -0.3, 0.95, 4),
    "airmass": _skewed(1.3, 0.2, 1, 3, 3),
    "redshift": _skewed(0.4, 0.8, 0.001, 8, 4),
    "flux": _normal(900, 600, -500, 9_000, 3),
    "load": _skewed(0.8, 0.7, 0, 32, 2),
    "pixels": _uniform(300, 2_560, 0),
    "bytes": _skewed(4_096, 1.5, 0, 500_000_000, 0),
    "megabytes": _skewed(250, 1, 1, 64_000, 0),
    "megabits": _skewed(80, 0.8, 0.1, 2_000, 1),
    "ratio": _skewed(1.3, 0.6, 0, 20, 2),
    "fps": _uniform(24, 60, 0),
    "anything": _uniform(0, 100, 2),
    "small": _skewed(3, 0.6, 1, 9, 0),
    "kind": _uniform(0, 9, 0),
    "anything signed": _normal(0, 100, -1_000, 1_000, 3),
}  # fmt: skip
_CHOICES: dict[str, list[int]] = {
    "http status": [200, 200, 200, 200, 304, 301, 302, 400, 401, 403, 404, 404, 500, 503],
    "mcc": [5411, 5812, 5541, 5732, 4111, 7011, 5999],
    "mobile country": [232, 262, 234, 310, 208, 222],
    "server port": [80, 443, 443, 443, 22, 53, 8080, 3306, 5432, 9092],
    "utc offset minutes": [0, 60, 60, 120, -300, -360, -480, 330, 540],
    "utc offset seconds": [0, 3600, 3600, 7200, -18_000, -21_600, -28_800, 19_800, 32_400],
    "country number": [40, 276, 840, 826, 250, 380],
}
_HEALTH = r"\b(patient|observation|vital|vitals|health|heart|body|sleep|medical|blood|fitbit|garmin|oura|pulse|clinical|encounter|bmi|fitness|workout|athlete|person|steps|calories|diastolic|systolic)\b"
_ESTATE = r"\b(listing|floor|bedrooms?|bathrooms?|year built|apartment|house|property|real estate|sqm|rent)\b"
_MARKETS = (
    r"\b(quote|quotes|trade|trades|stock|ticker|symbol|isin|bid|ask|tick|ohlc|candle|exchange|security|bar|market)\b"
)
_TELECOM = r"\b(mnc|cdr|imsi|imei|msisdn|cell|lac|roaming|call|sms|apn|rat)\b"
_MACHINES = r"\b(engine|coolant|oil|motor|exhaust|turbine|boiler|oven|brake|cpu|gpu|core|machine|furnace|bearing)\b"


@dataclass(frozen=True, slots=True)
class _Reading:
    named: str
    values: str
    near: str = ""


# A pattern for the words of the name, what it is, and the words around it, if they decide.
_READINGS: tuple[_Reading, ...] = tuple(_Reading(*line) for line in (
    # codes
    (r"\bhttp (status|code|response)\b|\b(response|status) code$|\bresponse status$|^sc status$|\b(upstream|origin|backend|http) status$", "http status"),
    (r"^(code|status)$", "http status", r"\b(codes|clickstream|http|request|response|url|referrer|user agent)\b"),
    (r"\b(server|destination|remote|listen|service|url|target|dst) port$|^port$", "server port"),
    (r"\bport( number)?$", "port"),
    (r"\b(pid|ppid|process id|thread id|tid)$", "pid"),
    (r"\b(cvv|cvc|csc|cvv2|security code)$", "cvv"),
    (r"\bmcc$|\bmobile country code$", "mobile country", _TELECOM),
    (r"\bmcc$|\bmerchant category code$", "mcc"),
    (r"\bmnc$", "mnc"),
    (r"\b(fico|credit)( (score|rating))?$", "fico", r"\b(fico|credit score|loan|mortgage|credit rating|score)\b"),
    (r"\b(zip|zip code|postcode|postal code)$", "zip"),
    (r"\b(phone|mobile|fax|msisdn|calling number|called number)( number)?$", "phone"),
    (r"\bcountry (code|number|numeric)$", "country number"),
    (r"\b(asn|as number)$", "asn"),
    (r"^(severity|facility)( (level|code|number))?$", "syslog severity"),
    (r"\bseverity number$", "log severity"),
    (r"^(log )?level$", "syslog severity", r"\b(log|syslog|logger|message)\b"),
    (r"\b(battery|charge|fuel|tank|fill|ink|toner|water)( (level|percent|state|remaining|charge|soc))?$|^soc$", "battery"),
    (r"\b(target|password|string|text|name|path|query|title|message|word|key) length$", "quantity"),
    (r"\b(priority|threat level|risk level|alert level|danger level|severity|urgency|level|pain)( (level|score))?$", "level of ten"),
    (r"\b(jersey|shirt|squad|back|lane|bib) number$", "error code"),
    (r"\b(error|exit|return|reason|fault|result|status|alarm|diagnostic) code$|^errno$", "error code"),
    (r"^(is|has|was|can|should|did|does) |\b(flag|enabled|active)$", "flag"),
    (r"\b(type|kind|class|mode|category|state|status|reason|cause|method|source|boarding)$", "kind", r"^(?!.*\b(http|response) status)"),
    # calendar
    (r"\b(birth year|year of birth|yob|born)$", "birth year"),
    (r"\bmonths (active|old|since|employed)|\b(age|tenure)( in)? months$", "years"),
    (r"^(days|number days) (?!of)", "days"),
    (r"^(years? of |number years|years )|\byears$|\btenure\b|\bexperience$", "years"),
    (r"\b(year|age) (group|level|band)$", "level of ten"),
    (r"\byear( \w+)?$", "year"),
    (r"\bquarter( number)?$", "quarter"),
    (r"\bmonth( (number|of year))?$", "month"),
    (r"\bday of year$", "day of year"),
    (r"\bday of week$|\bdow$|\bweek ?day$", "day of week"),
    (r"\bweek( (number|of year))?$", "week"),
    (r"\bday( (number|of month))?$", "day"),
    (r"\bhour( of day)?$", "hour"),
    (r"^(minute|second)( of hour)?$", "minute"),
    (r"\bage( (years|in years|at \w+))?$", "age"),
    (r"\b(utc|time ?zone|timezone|gmt|tz|local|utc time|dst)( time)? offset( minutes)?$|\boffset minutes$", "utc offset minutes"),
    (r"\b(utc|time ?zone|timezone|gmt|tz)( time)? offset seconds$|\boffset seconds$", "utc offset seconds"),
    # logs of changes and of messages
    (r"\bpartition( (id|number))?$|\bshard$", "partition"),
    (r"^total order$|\bdata collection order$", "offset"),
    (r"\boffset reference$", "few"),
    (r"^p \d|\bp\d\d ", "ms"),
    (r"\bposition (ms|seconds)$", "ms"),
    (r"\b(offset|lsn|scn|watermark|checkpoint)$|^(pos|position)$|\bsequence( number)?$", "place in a list", r"\b(stop|playlist|line items?|route|carousel|search|page|rank)\b"),
    (r"\b(offset|lsn|scn|watermark|checkpoint|xid|txid)$|^(pos|position)$|\b(sequence|seq)( number)?$|\bsequence id$", "offset"),
    (r"\b(schema|aggregate|entity|row|document|api|model|object|event|record|app)? ?version( number)?$|\brevision$|\bbuild number$|\bgeneration$|\bepoch number$", "version"),
    # bodies
    (r"\bheart ?rate( variability)? (rmssd|sdnn)|\b(rmssd|sdnn|hrv|heart rate variability)\b", "variability"),
    (r"\b(heart|pulse)( rate)?( bpm)?$|\bheart rate\b|\bbpm$|^hr\b", "heart rate"),
    (r"\b(respirat(ory|ion)|breath(ing|s)?|respiration|resp)( rate)?\b", "breaths"),
    (r"\bresponse rate$", "breaths", r"\b(vitals?|patient|heart rate|systolic|spo2|pulse)\b"),
    (r"\b(spo2|oxygen saturation|blood oxygen|pulse ox|o2 sat(uration)?)\b", "oxygen", r"\b(spo2 (percent|value|level)|oxygen saturation|o2|blood oxygen|spo2$)"),
    (r"\b(body|skin|core|patient|ear|oral)( \w+)? temperature\b|\bfever\b", "body temperature"),
    (r"^temperature( c)?$", "body temperature", r"\b(vitals?|patient|heart rate|systolic|diastolic|pulse|nurse|ward|clinical)\b"),
    (r"\bsystolic\b|\bsbp$", "systolic"),
    (r"\bdiastolic\b|\bdbp$", "diastolic"),
    (r"\b(glucose|blood sugar)\b", "glucose"),
    (r"\b(bmi|body mass index)$", "bmi"),
    (r"\bbody (fat|water|muscle)\b|\bfat percent", "percent"),
    (r"\bheight( cm)?$", "body height", _HEALTH),
    (r"\bweight( kg)?$", "body weight", _HEALTH),
    (r"\b(kilo)?calories\b|\bkcal\b|\benergy burned\b|\bkilojoules$", "energy of food"),
    (r"\b(protein|carbs?|carbohydrates?|fat|fibers?|fibre|sugars?|sodium|cholesterol)( (g|mg|grams))?$", "grams"),
    (r"\b(dose|dosage)\b|\bmg$|\bmcg$", "dose"),
    (r"\bsteps?( count)?$", "steps", _HEALTH + r"|\b(steps|activity|walk|daily)\b"),
    # where and how fast
    (r"\blatitude\b", "latitude"),
    (r"\blongitude\b", "longitude"),
    (r"\b(altitude|elevation|height above)\b", "altitude"),
    (r"\b(declination|dec)( deg)?$", "declination"),
    (r"^ra( deg)?$|\bright ascension$", "right ascension"),
    (r"\b(steering|yaw|roll|pitch)( (angle|rate|deg))?\b", "steering"),
    (r"\b(bearing|heading|azimuth|compass)( deg(rees)?)?$|\b(course over ground|cog)$|\bdirection( (deg|degrees|angle))?$|^course$", "bearing"),
    (r"\bspeed( (kmh|kph|km h|mph|knots))$|\b(kmh|kph|mph)$", "km/h"),
    (r"\b(speed|velocity|gust|pace)( (ms|mps|m s|m))?$", "m/s"),
    (r"\b(accel|acceleration|gyro|gyroscope|magnetometer|gravity)\b( [xyz])?|^[xyz]( axis)?$", "acceleration"),
    (r"\bodometer\b|\bmileage\b", "odometer"),
    (r"\b(tilt|inclination|slope|angle|orientation|phi|theta)( (deg|degrees|angle))?$|\b(deg|degrees)$", "angle"),
    (r"\b(true|magnetic|ground) (track|course|heading)$|^track( angle)?$", "bearing"),
    (r"\b[hvpt]dop$", "dilution"),
    (r"\blength of stay$", "days"),
    (r"\b(distance|length|range|altitude|depth|radius|visibility|elevation|accuracy)( (m|meters|metres))?$|\b(m|meters|metres)$", "metres", r"^(?!.*\b(packet|string|text|password|target|payload|content)\b)"),
    (r"\b(km|kilomet(er|re)s|miles)$", "kilometres"),
    # things that are measured
    (r"\b(temperature|temp) (deviation|delta|change|anomaly|difference)$|\b(deviation|delta|anomaly|residual)$", "deviation"),
    (r"\b(temperature|dew point|feels like|wind chill|heat index)\b.* (f|fahrenheit)$", "temperature f"),
    (r"\b(temperature|dew point|feels like)\b.* (k|kelvin)$", "temperature k"),
    (r"\b(temperature|dew point|feels like|apparent|wind chill|heat index)\b", "temperature c"),
    (r" (celsius|c)$", "temperature c"),
    (r" (fahrenheit|f)$", "temperature f"),
    (r"\bhumidity\b", "percent"),
    (r"\bpressure (hpa|mbar|mb)$|\bpressure$|\baltimeter$|\bhpa$", "hpa", r"^(?!.*\b(tire|tyre|blood)\b)"),
    (r"\bkpa$", "kpa"),
    (r"\b(pa|pascals?)$", "pascal"),
    (r"\b(psi|tire pressure|tyre pressure|pressure)$", "psi"),
    (r"\b(bar|mmhg)$", "bar"),
    (r"\bco2\b", "co2"),
    (r"\b(pm10|pm1|pm25|pm2|pm|aqi|no2|so2|o3|voc|tvoc|dust|turbidity)\b", "dust"),
    (r"\bppm$|\bppb$", "co2"),
    (r"\b(rssi|rsrp|rsrq|signal strength|dbm|signal level)\b", "signal"),
    (r"\b(snr|sinr|signal to noise)\b", "signal to noise"),
    (r"\b(noise|sound|loudness)\b|\b(db|decibels?)$", "decibels"),
    (r"\b(mv|millivolts?)$", "millivolts"),
    (r"\b(voltage|volts?|v)$|\bvoltage\b", "volts"),
    (r"\b(ma|milliamps?|milliamperes?)$", "milliamperes"),
    (r"\b(amps?|amperes?)$|^current( a)?$|\bcurrent a$", "amperes"),
    (r"\b(kwh|mwh|wh)\b|\benergy( (consumption|consumed|produced|total|usage|delivered))?$|\b(consumption|generation)$", "kilowatt hours"),
    (r"\b(kw|mw|kva|kilowatts?)\b", "kilowatts"),
    (r"\bpower factor$|\bcos phi$", "share"),
    (r"\b(w|watts?|wattage)$|\bpower\b", "watts"),
    (r"\b(grid|mains|line) frequency\b", "grid"),
    (r"\bfrequency cap\b", "few"),
    (r"\b(hz|khz|mhz|hertz)$|\b(sample|sampling) rate$|\bfrequency$", "hertz"),
    (r"\b(lux|illuminance|brightness|light level|luminosity)\b", "lux"),
    (r"\buv( index)?$|\buvi$", "uv"),
    (r"\b(rain|rainfall|precipitation|snow|snowfall|precip)\b", "rain"),
    (r"\b(cloud cover|cloudiness|clouds|cloud)$", "percent"),
    (r"\b(cadence|strokes)\b", "cadence"),
    (r"\b(rpm|engine speed|rotation|revolutions)\b", "rpm"),
    (r"^gear\b", "gear"),
    (r"\bph( (value|level))?$", "acidity"),
    (r"\b(ndvi|ndwi|evi|savi)( (value|index))?$", "vegetation"),
    (r"^phase$", "people", r"\b(meter|grid|kwh|power|kw)\b"),
    (r"\bmag(psf|ap|nr|diff|nitude)?\b|mag(lim)?$", "magnitude"),
    (r"\bsigma|\b(uncertainty|stddev|std|rmse|variance|sigma|chi)\b|\b(flux|magnitude|position) error$", "uncertainty"),
    (r"\bflux\b", "flux"),
    (r"\b(arcsec|arcseconds|parallax|seeing)$", "arcsec"),
    (r"\b(airmass|air mass)$", "airmass"),
    (r"\b(redshift|z spec|z phot)$", "redshift"),
    (r"^rb$|\breal bogus\b|\bdrb$", "share"),
    (r"\bload( ?(1|5|15|average|avg))?$|\bload\d+$", "load"),
    (r"\b(cpu|memory|disk|gpu|ram|heap)( (usage|utili[sz]ation|load|used|percent))?$", "percent", r"^(?!.*\b(bytes|mb|gb)\b)"),
    # shares and rates
    (r"\b(yield|change|return|growth|performance|variance|delta|gain|margin)( rate)? percent$|\bpercent (change|return)$", "signed percent"),
    (r"\b(spo2|oxygen)\b", "percent"),
    (r"\bpercent\b|\bpercentile$", "percent"),
    (r"\b(room|daily|nightly|weekly|monthly|rental|freight|rack|flat) rate$", "money"),
    (r"\b(hourly|pay|wage|billing|labou?r|day) (rate|wage|pay)$|\bper hour$", "pay"),
    (r"\b(exchange|fx|conversion|currency|forex|spot)( currency)? rate$|\bfx\b", "exchange rate"),
    (r"\b(frame|refresh|update) rate$|\bfps$", "fps"),
    (r"\b(bit|data|transfer|download|upload|link)( rate| speed)\b|\b(mbps|kbps|bitrate|throughput|bandwidth)\b", "megabits"),
    (r"\b(request|message|event|error|click|arrival|flow|infusion|burn|sampling|scan|consumption) rate$", "ratio", r"^(?!.*\b(error|click) rate)"),
    (r"\b(kd|kill death|debt|sharpe|aspect|pe|price earnings|p e|turnover|compression|signal|odds) (ratio|index)?$", "ratio"),
    (r"\b(share|ratio|probability|likelihood|confidence|fraction|proportion|propensity|coverage|fte|certainty|similarity|relevance|opacity|weight factor|odds)\b", "share"),
    (r"\b(rating|stars?)( (value|score|average))?$", "stars"),
    (r"\bnps\b", "nps"),
    (r"\bgpa$|\bgrade point\b", "gpa"),
    (r"\b(score|index|quality|readiness|rank score|grade|mark|efficiency|health|popularity|energy|danceability|valence|engagement|satisfaction)$", "score"),
    (r"\brate$|\b(ctr|cvr|bounce|churn|utili[sz]ation|occupancy|accuracy|precision|recall|f1|auc)\b", "share or percent"),
    # counts
    (r"\b(passengers?|pax|guests?|adults|children|nights|persons|occupants|travell?ers|seats)( (number|count))?$", "people"),
    (r"\b(number|count) (of )?\w+$|^number |\bcount$|\bcounts$|\bhits$", "count"),
    (r"^(line|item|stop|step|page|row|sequence|rank|position|place|index|ordinal|level|floor|lane|round|lap|slot|rack)( (number|index|position|sequence))?$|\b(index|rank|line number|sequence|position|ordinal)$", "place in a list"),
    (r"\b(steps|kills|deaths|assists|wins|losses|goals|bedrooms|bathrooms|rooms|attempts?|retries|retry|clicks|children|pages|periods|laps|credits|dependents|devices|contacts|errors|warnings|lines|items|employees|stops|workers|cores|replicas|threads|floors|baggage|bags|pieces|cap|limit|hops|workouts|awakenings|sessions|tries)$", "few"),
    (r"\b(added|removed|nearby|paired)\b", "few"),
    (r"\b(points?|score|xp|coins|miles|rewards)$", "points"),
    (r"\b(views|likes|followers|impressions|visitors|downloads|plays|shares|subscribers|reach|requests|messages|records|rows|events|population|votes|visits|users|packets|records sent|records cached|volume|sent|size|used|gas used|gas|gas limit|nonce|supply|open interest)$", "many", r"^(?!.*\b(file|payload|body|content|memory|font)\b)"),
    (r"\b(stock|inventory|on hand|available|reserved|backlog|quantity)$", "stock", r"\b(inventory|warehouse|stock|on hand)\b"),
    (r"\b(quantity|units?|pieces)( (ordered|sold|shipped|total))?$", "quantity"),
    # sizes
    (r"\b(width|height|resolution|pixels|px)$|\b[xy] ?offset\b|\b(x|y) (pos|position|max|min)$|\b[xy]offset\b", "pixels", r"\b(screen|view|viewport|window|doc|document|image|ad|video|frame|page|browser|banner|device|pixels?|display|photo|yoffset|xoffset|bid|thumbnail)\b"),
    (r"\b(mb|megabytes|mib|gb|gib)$", "megabytes"),
    (r"\b(bytes?|file size|content length|payload size|body size|memory|octets|kb|kib)\b|\b(bytes|size bytes)$|\bdata volume\b", "bytes"),
    (r"\b(message|packet|payload|response|request|object|document|record|body|upload|download|transfer) (size|length)$", "bytes"),
    (r"\b(kg|kilograms?|lb|lbs|pounds|tons?|tonnes|g|grams?|weight)$|\bweight\b", "weight"),
    (r"\b(sqm|sqft|m2|ha|hectares|acres|area)$|\barea\b", "area"),
    (r"\b(m3|lit(er|re)s?|gallons?|ml|volume)$", "volume"),
    (r"\b(cm|centimet(er|re)s?|inch(es)?|width|height|depth|length)$", "centimetres", r"^(?!.*\b(target|password|string|text|name) length)"),
    (r"\b(mm|millimet(er|re)s?)$", "millimetres"),
    # money
    (r"\bmicros$|\b(price|cost|bid|spend|budget|amount) us$", "micro money"),
    (r"\b(cents|pence|minor( units)?|cts)$", "cents"),
    (r"\b(annual|yearly|base|gross|net)? ?(salary|income|compensation|earnings)( \w+)?$|\bpay grade$", "salary"),
    (r"\bwage$", "pay"),
    (r"\bbonus\b|\bcommission$", "bonus"),
    (r"\bcpm$|\becpm$|\bcpc$|\b(bid|floor|clearing|win) price$", "cpm"),
    (r"\b(price|rent|value|cost)( (eur|usd|gbp|chf))?$", "property price", _ESTATE),
    (r"\b(market cap|loan|mortgage|principal|coverage amount|sum insured|notional|turnover|capital)( amount)?$", "large money"),
    (r"\bbalance\b|\bcredit limit\b|\bsavings$", "balance"),
    (r"^(open|high|low|close|bid|ask|last|mid|vwap|strike|settle|bid price|ask price)( price)?$", "stock price", _MARKETS),
    (r"\bprice$", "stock price", _MARKETS),
    (r"\b(price|amount|total|cost|costs|fee|fees|fare|tip|tax|taxes|vat|discount|subtotal|charge|charges|payment|budget|spend|premium|payout|refund|deposit|msrp|revenue|sales|profit|gmv|ltv|arpu|bid|ask|value|rent|toll|penalty|fine|interest|proceeds|donation|cash|debit|credit|gross|net|due|paid|reward|rebate|surcharge|expense|expenses|invoice|worth|pay|withheld|withholding|deductible|copay|contribution|allowance|pension|dues|wages)( (eur|usd|gbp|chf|jpy|local|total|amount|value|due|paid|net|gross|price|tax|excl|incl))*$", "money"),
    (r"\b(eur|usd|gbp|chf)$", "money"),
    # spans of time
    (r"\butc offset|\boffset\b", "utc offset minutes", r"^(?=.*\b(utc|timezone|gmt)\b)"),
    (r"\bdelay( (minutes|min))?$", "delay minutes"),
    (r"\b(uptime|runtime|lifetime|time since)( (s|seconds))?$|\bup time( seconds)?$", "long seconds"),
    (r"\bns$", "ns"),
    (r"\bus$", "us"),
    (r"\bms$", "ms"),
    (r"\b(days|nights)$|^(days|lead time|age) |\blead time$|\bshelf life$", "days"),
    (r"\bhours$|\bh$", "hours"),
    (r"\b(minutes|min)$", "minutes"),
    (r"\bseconds$|\bs$", "seconds"),
    (r"\b(duration|elapsed|latency|delay|lag|timeout|ttl|interval|wait|waiting|dwell|jitter|idle|active|runtime|airtime|rtt)\b|\btime( \w+)?$|\bperiod$|\bwindow$|\blength$", "seconds"),
))  # fmt: skip


def number_rule(field: Field) -> dict[str, Any] | None:
    """Return the rule of a number whose name tells what it is; ``None`` for any other."""
    plainer = field.plainer()
    if plainer is not None and field.is_named(r" (value|val|reading|measurement)$") and (rule := number_rule(plainer)):
        return rule
    found = next((one for one in _READINGS if field.is_named(one.named) and _is_around(one, field)), None)
    if found is None:
        other = plainer or field.of_one()
        return None if other is None else number_rule(other)
    return rule_of(_meant(found.values, field), field)


def rule_of(kind: str, field: Field) -> dict[str, Any]:
    """Return the rule of what a reading calls its values, in the field's type."""
    if kind in _CHOICES:
        values = _CHOICES[kind]
        return {"choice": {value: float(values.count(value)) for value in dict.fromkeys(values)}}
    return {"distribution": fitted(_KINDS[kind], field)}


def anything(field: Field) -> dict[str, Any]:
    """Return the rule of a number that nothing is known of: whole ones count or name kinds, and are small."""
    whole = field.node.kind in ("int", "long")
    return {"distribution": fitted(_KINDS["small" if whole else "anything"], field)}


def fitted(wanted: dict[str, Any], field: Field) -> dict[str, Any]:
    """Return a distribution cut to what the type holds, and rounded as it is."""
    node = field.node
    if node.logical == "decimal":
        return _fitted_decimal(wanted, node.precision, node.scale)
    if node.kind in ("int", "long"):
        low = wanted.get("min")
        return wanted | {"round": 0} | ({"min": 1} if low is not None and 0 < low < 1 else {})
    return wanted


def _fitted_decimal(wanted: dict[str, Any], precision: int, scale: int) -> dict[str, Any]:
    digits = min(wanted.get("round", 2) if wanted["kind"] != "poisson" else 0, scale, 12)
    most = float(10 ** (precision - scale)) - 10.0 ** -min(digits, scale)
    if precision == scale:  # fractions alone
        return {"kind": "uniform", "low": 0, "high": 1 - 10.0 ** -min(scale, 6), "round": min(scale, 6)}
    typical = wanted.get("median", wanted.get("mean", wanted.get("high", 0)))
    if typical > most:
        return {"kind": "uniform", "low": 0, "high": most, "round": digits}
    highest = min(most, wanted.get("max", wanted.get("high", most)))
    cut = {"high": highest} if wanted["kind"] == "uniform" else {"max": highest}
    lows = {key: max(-most, wanted[key]) for key in ("low", "min") if key in wanted}
    return wanted | lows | cut | {"round": digits}


def _is_around(one: _Reading, field: Field) -> bool:
    if not one.near:
        return True
    if one.near.startswith("^("):  # what the name itself must have, or must not
        return re.search(one.near, field.says) is not None
    return field.is_near(one.near) or re.search(one.near, field.says) is not None


def _meant(kind: str, field: Field) -> str:
    """Return what is meant where type or surroundings decide between two kinds."""
    whole = field.node.kind in ("int", "long")
    if kind == "battery":
        return "percent" if whole or field.is_named(r"\bpercent\b|\bfuel\b") else "share"
    if kind == "score":
        return "score of 100" if whole else "share"
    if (kind == "share" and whole) or kind == "share or percent":
        return "percent" if whole else "share"
    if kind == "count":
        return (
            "many"
            if field.node.kind == "long"
            and field.is_named(
                r"\b(view|like|follower|impression|byte|row|record|request|transaction|visitor|user|event|message)s?\b"
            )
            else "few"
        )
    if kind == "temperature c" and field.is_named(_MACHINES):
        return "engine temperature"
    return kind
