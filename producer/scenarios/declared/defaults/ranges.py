"""How the values of each kind of number are spread."""

from __future__ import annotations

from typing import Any


def _uniform(low: float, high: float, digits: int = 2) -> dict[str, Any]:
    return {"kind": "uniform", "low": low, "high": high, "round": digits}


def _normal(mean: float, sd: float, low: float, high: float, digits: int = 1) -> dict[str, Any]:
    return {"kind": "normal", "mean": mean, "sd": sd, "min": low, "max": high, "round": digits}


def _skewed(median: float, sigma: float, low: float, high: float, digits: int = 2) -> dict[str, Any]:
    return {"kind": "lognormal", "median": median, "sigma": sigma, "min": low, "max": high, "round": digits}


def _few(mean: float, low: float = 0, high: float = 40) -> dict[str, Any]:
    return {"kind": "poisson", "mean": mean, "min": low, "max": high}


# What numbers.txt calls its values.
KINDS: dict[str, dict[str, Any]] = {
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
    "money": _skewed(30, 0.8, 0.5, 5000),
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
# The same, where only these occur.
CHOICES: dict[str, list[int]] = {
    "http status": [200, 200, 200, 200, 304, 301, 302, 400, 401, 403, 404, 404, 500, 503],
    "mcc": [5411, 5812, 5541, 5732, 4111, 7011, 5999],
    "mobile country": [232, 262, 234, 310, 208, 222],
    "server port": [80, 443, 443, 443, 22, 53, 8080, 3306, 5432, 9092],
    "utc offset minutes": [0, 60, 60, 120, -300, -360, -480, 330, 540],
    "utc offset seconds": [0, 3600, 3600, 7200, -18_000, -21_600, -28_800, 19_800, 32_400],
    "country number": [40, 276, 840, 826, 250, 380],
}
