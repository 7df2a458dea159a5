"""Facts of the world that the generated data has to agree with: cities, devices, plans, networks."""

from __future__ import annotations

from dataclasses import dataclass

QUALITIES = ("480p", "720p", "1080p", "2160p")
# Lowest bandwidth, megabits per second, at which a player holds each quality.
QUALITY_BANDWIDTH = (0.0, 5.0, 8.0, 25.0)
DEVICE_TYPES = ("mobile", "tablet", "desktop", "smart_tv", "console")
# Best quality (index of QUALITIES) of each device type: a small screen is not sent 2160p.
DEVICE_QUALITY = (2, 2, 3, 3, 3)
NETWORKS = ("wifi", "ethernet", "5g", "4g")
NETWORK_MEDIAN_MBPS = (60.0, 180.0, 110.0, 22.0)
# Share of each network by device type.
NETWORK_SHARES = (
    (0.55, 0.00, 0.27, 0.18),
    (0.86, 0.00, 0.05, 0.09),
    (0.62, 0.38, 0.00, 0.00),
    (0.63, 0.37, 0.00, 0.00),
    (0.55, 0.45, 0.00, 0.00),
)
APP_VERSIONS = ("8.4.2", "8.5.0", "8.5.1", "8.6.0", "9.0.0", "9.0.1")
APP_VERSION_SHARES = (0.04, 0.06, 0.10, 0.18, 0.22, 0.40)
SERVICES = ("spotify", "youtube", "facebook", "google", "apple", "amazon", "discord", "playstation")
ALGORITHMS = ("collaborative", "trending", "similar", "editorial")
# Sessions that begin in each hour of the day, by the customer's clock, relative to one another.
RHYTHM = (2.2, 1.3, 0.8, 0.5, 0.4, 0.45, 0.8, 1.5, 2.0, 2.2, 2.4, 2.7,
          3.2, 3.1, 2.9, 3.0, 3.4, 4.1, 5.2, 6.3, 7.0, 6.8, 5.4, 3.7)  # fmt: skip
SPEEDS = (0.75, 1.0, 1.25, 1.5, 2.0)


@dataclass(frozen=True, slots=True)
class Plan:
    """A subscription plan: its share of customers and its best quality (index of ``QUALITIES``)."""

    name: str
    share: float
    quality: int


PLANS = (Plan("free", 0.22, 0), Plan("basic", 0.24, 1), Plan("standard", 0.34, 2), Plan("premium", 0.20, 3))


@dataclass(frozen=True, slots=True)
class Model:
    """A piece of hardware and the system that runs on it."""

    type: str
    os: str
    name: str
    os_versions: tuple[str, ...]
    share: float


_IOS = ("17.6.1", "18.3.2", "18.5", "26.0.1")
_ANDROID = ("13", "14", "15", "16")
_TVOS = ("17.6", "18.4", "26.0")
MODELS = (
    Model("mobile", "iOS", "iPhone 13", _IOS, 6),
    Model("mobile", "iOS", "iPhone 14", _IOS, 7),
    Model("mobile", "iOS", "iPhone 15 Pro", _IOS, 7),
    Model("mobile", "iOS", "iPhone 16", _IOS[1:], 6),
    Model("mobile", "Android", "Galaxy S23", _ANDROID, 6),
    Model("mobile", "Android", "Galaxy S24", _ANDROID[1:], 6),
    Model("mobile", "Android", "Galaxy A54", _ANDROID, 6),
    Model("mobile", "Android", "Pixel 8", _ANDROID[1:], 4),
    Model("mobile", "Android", "Pixel 9", _ANDROID[1:], 3),
    Model("mobile", "Android", "Redmi Note 13", _ANDROID[:3], 5),
    Model("mobile", "Android", "Moto G84", _ANDROID[:2], 3),
    Model("tablet", "iPadOS", "iPad Air", _IOS, 4),
    Model("tablet", "iPadOS", "iPad Pro 11", _IOS, 3),
    Model("tablet", "Android", "Galaxy Tab S9", _ANDROID, 3),
    Model("tablet", "Fire OS", "Fire HD 10", ("7.3.2.9", "8.3.3.1"), 2),
    Model("desktop", "macOS", "MacBook Air", ("14.7", "15.5", "26.0"), 5),
    Model("desktop", "macOS", "iMac 24", ("14.7", "15.5", "26.0"), 2),
    Model("desktop", "Windows", "ThinkPad X1 Carbon", ("10.0.19045", "10.0.22631", "10.0.26100"), 5),
    Model("desktop", "Windows", "Surface Laptop 6", ("10.0.22631", "10.0.26100"), 3),
    Model("desktop", "Windows", "XPS 15", ("10.0.19045", "10.0.22631", "10.0.26100"), 4),
    Model("desktop", "ChromeOS", "Chromebook Plus 514", ("128.0.6613", "132.0.6834", "138.0.7204"), 2),
    Model("smart_tv", "Tizen", "Samsung QN90C", ("7.0", "8.0"), 6),
    Model("smart_tv", "Tizen", "Samsung The Frame", ("7.0", "8.0"), 4),
    Model("smart_tv", "webOS", "LG OLED C3", ("23.20.32", "24.10.15"), 6),
    Model("smart_tv", "Android TV", "Sony Bravia XR", ("10", "12"), 4),
    Model("smart_tv", "tvOS", "Apple TV 4K", _TVOS, 5),
    Model("smart_tv", "Roku OS", "Roku Ultra", ("13.0.0", "14.0.4"), 5),
    Model("smart_tv", "Fire OS", "Fire TV Stick 4K", ("7.6.8.6", "8.1.2.3"), 5),
    Model("console", "PlayStation OS", "PlayStation 5", ("24.08", "25.03"), 4),
    Model("console", "Xbox OS", "Xbox Series X", ("10.0.25398", "10.0.26100"), 3),
)


@dataclass(frozen=True, slots=True)
class City:
    """A place; ``share`` is its relative number of customers."""

    country: str
    region: str
    name: str
    timezone: str
    share: float


CITIES = (
    City("US", "New York", "New York", "America/New_York", 9),
    City("US", "California", "Los Angeles", "America/Los_Angeles", 7),
    City("US", "California", "San Francisco", "America/Los_Angeles", 4),
    City("US", "Illinois", "Chicago", "America/Chicago", 5),
    City("US", "Texas", "Houston", "America/Chicago", 4),
    City("US", "Texas", "Austin", "America/Chicago", 3),
    City("US", "Washington", "Seattle", "America/Los_Angeles", 3),
    City("US", "Colorado", "Denver", "America/Denver", 2),
    City("US", "Arizona", "Phoenix", "America/Phoenix", 2),
    City("US", "Florida", "Miami", "America/New_York", 3),
    City("CA", "Ontario", "Toronto", "America/Toronto", 3),
    City("CA", "Quebec", "Montreal", "America/Toronto", 2),
    City("CA", "British Columbia", "Vancouver", "America/Vancouver", 2),
    City("MX", "Ciudad de México", "Mexico City", "America/Mexico_City", 4),
    City("MX", "Jalisco", "Guadalajara", "America/Mexico_City", 2),
    City("BR", "São Paulo", "São Paulo", "America/Sao_Paulo", 5),
    City("BR", "Rio de Janeiro", "Rio de Janeiro", "America/Sao_Paulo", 3),
    City("AR", "Buenos Aires", "La Plata", "America/Argentina/Buenos_Aires", 1),
    City("CL", "Santiago Metropolitan", "Santiago", "America/Santiago", 1),
    City("CO", "Bogotá", "Bogotá", "America/Bogota", 2),
    City("GB", "England", "London", "Europe/London", 6),
    City("GB", "England", "Manchester", "Europe/London", 2),
    City("GB", "Scotland", "Edinburgh", "Europe/London", 1),
    City("IE", "Leinster", "Dublin", "Europe/Dublin", 1),
    City("FR", "Île-de-France", "Paris", "Europe/Paris", 4),
    City("FR", "Auvergne-Rhône-Alpes", "Lyon", "Europe/Paris", 1),
    City("DE", "Berlin", "Berlin", "Europe/Berlin", 3),
    City("DE", "Bavaria", "Munich", "Europe/Berlin", 2),
    City("DE", "Hamburg", "Hamburg", "Europe/Berlin", 2),
    City("ES", "Community of Madrid", "Madrid", "Europe/Madrid", 3),
    City("ES", "Catalonia", "Barcelona", "Europe/Madrid", 2),
    City("PT", "Lisbon", "Lisbon", "Europe/Lisbon", 1),
    City("IT", "Lombardy", "Milan", "Europe/Rome", 2),
    City("IT", "Lazio", "Rome", "Europe/Rome", 2),
    City("NL", "North Holland", "Amsterdam", "Europe/Amsterdam", 2),
    City("SE", "Stockholm", "Stockholm", "Europe/Stockholm", 1),
    City("PL", "Masovia", "Warsaw", "Europe/Warsaw", 2),
    City("TR", "Istanbul", "Istanbul", "Europe/Istanbul", 2),
    City("ZA", "Gauteng", "Johannesburg", "Africa/Johannesburg", 1),
    City("NG", "Lagos", "Lagos", "Africa/Lagos", 1),
    City("IN", "Maharashtra", "Mumbai", "Asia/Kolkata", 5),
    City("IN", "Karnataka", "Bengaluru", "Asia/Kolkata", 4),
    City("IN", "Delhi", "New Delhi", "Asia/Kolkata", 4),
    City("SG", "Central Region", "Singapore", "Asia/Singapore", 1),
    City("JP", "Tokyo", "Tokyo", "Asia/Tokyo", 4),
    City("JP", "Osaka", "Osaka", "Asia/Tokyo", 2),
    City("KR", "Seoul", "Seoul", "Asia/Seoul", 3),
    City("AU", "New South Wales", "Sydney", "Australia/Sydney", 2),
    City("AU", "Victoria", "Melbourne", "Australia/Melbourne", 2),
    City("NZ", "Auckland", "Auckland", "Pacific/Auckland", 1),
)
