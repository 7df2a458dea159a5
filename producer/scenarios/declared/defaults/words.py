"""The words of a name, however they are run together: ``registerTime``, ``register_time`` and ``registertime`` alike."""

from __future__ import annotations

import re
from functools import cache

_PARTS = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z0-9]+|[A-Z0-9]+")
# What the change of case would tear apart.
_WHOLE = (
    ("IPv", "Ipv"),
    ("IDs", "Ids"),
    ("SpO2", "Spo2"),
    ("spO2", "spo2"),
    ("kWh", "Kwh"),
    ("mmHg", "Mmhg"),
    ("OAuth", "Oauth"),
    ("GPS", "Gps"),
    ("eMail", "email"),
    ("PM2_5", "pm25"),
    ("pm2_5", "pm25"),
)
# Words that a number ends.
_NUMBERED = re.compile(
    r"(last|ipv|utf|base|sha|md|icd|spo|co|pm|load|iso|alpha|p|h|o|no|so|m|r|x|y|z|e|v|s|t|c|b|a|d|f|g|q|l|k|n)\d+"
)
# Short forms that everybody writes, and what they stand for.
_SHORT = {
    "addr": "address",
    "acct": "account",
    "amt": "amount",
    "avg": "average",
    "bal": "balance",
    "cnt": "count",
    "ccy": "currency",
    "curr": "currency",
    "cust": "customer",
    "desc": "description",
    "descr": "description",
    "dest": "destination",
    "dst": "destination",
    "dept": "department",
    "dir": "direction",
    "dttm": "datetime",
    "dur": "duration",
    "dvce": "device",
    "emp": "employee",
    "err": "error",
    "fname": "firstname",
    "lname": "lastname",
    "freq": "frequency",
    "idx": "index",
    "lang": "language",
    "lng": "longitude",
    "lon": "longitude",
    "long": "longitude",
    "lat": "latitude",
    "manuf": "manufacturer",
    "mfr": "manufacturer",
    "mgr": "manager",
    "mkt": "marketing",
    "msg": "message",
    "nbr": "number",
    "num": "number",
    "ord": "order",
    "org": "organization",
    "pct": "percent",
    "perc": "percent",
    "pos": "position",
    "percentage": "percent",
    "pwd": "password",
    "px": "price",
    "qty": "quantity",
    "req": "request",
    "resp": "response",
    "sec": "seconds",
    "secs": "seconds",
    "seq": "sequence",
    "sn": "serial number",
    "src": "source",
    "subj": "subject",
    "tel": "phone",
    "telephone": "phone",
    "temp": "temperature",
    "ts": "timestamp",
    "tstamp": "timestamp",
    "tx": "transaction",
    "txn": "transaction",
    "trx": "transaction",
    "usr": "user",
    "tz": "timezone",
    "ver": "version",
    "candid": "candidate id",
    "msec": "ms",
    "millis": "ms",
    "millisecond": "ms",
    "milliseconds": "ms",
    "micros": "us",
    "microsecond": "us",
    "microseconds": "us",
    "usec": "us",
    "nano": "ns",
    "nanos": "ns",
    "nanosecond": "ns",
    "nanoseconds": "ns",
    "hrs": "hours",
    "mins": "minutes",
    "decl": "declination",
    "ack": "acknowledged",
    "agt": "agent",
    "bldg": "building",
    "cdtr": "creditor",
    "cd": "code",
    "chg": "charge",
    "chrg": "charge",
    "ctry": "country",
    "dbtr": "debtor",
    "dt": "date",
    "dtm": "datetime",
    "grp": "group",
    "loc": "location",
    "nm": "name",
    "ordr": "order",
    "phn": "phone",
    "pmt": "payment",
    "pymt": "payment",
    "prod": "product",
    "prc": "price",
    "stat": "status",
    "sts": "status",
    "str": "street",
    "svc": "service",
    "tm": "time",
    "typ": "type",
    "val": "value",
    "vendr": "vendor",
    "whse": "warehouse",
    "wt": "weight",
    "yr": "year",
    "yrs": "years",
    "alt": "altitude",
    "altim": "altimeter",
    "dewp": "dew point",
    "flt": "flight",
    "gst": "gust",
    "hdg": "heading",
    "hgt": "height",
    "hum": "humidity",
    "osv": "os version",
    "pres": "pressure",
    "rh": "relative humidity",
    "slp": "sea level pressure",
    "spd": "speed",
    "tmp": "temperature",
    "vel": "velocity",
    "wdir": "wind direction",
    "wgst": "wind gust",
    "wspd": "wind speed",
}
# Short forms that mean this at the end of a name alone.
_LAST = {
    "no": "number",
    "nr": "number",
    "cur": "currency",
    "cat": "category",
    "nbr": "number",
    "pt": "point",
    "st": "status",
}
# Words that names run together are made of.
_KNOWN = frozenset(
    ["abstract", "academic", "accel", "acceleration", "access", "accommodation", "accuracy", "acres", "action", "active", "activity", "actor", "added", "address", "admission", "adults", "advertiser", "affiliation", "age", "agency", "agent", "aggregate", "air", "airline", "airport", "airtime", "alarm", "album", "alert", "algorithm", "alias", "alpha", "ampere", "amperes", "angle", "annual", "anomaly", "answer", "api", "apikey", "app", "apparent", "application", "approval", "approved", "area", "arpu", "arrival", "arrived", "arriving", "art", "article", "artist", "ascension", "aspect", "asset", "assigned", "assignee", "assists", "attachment", "attempt", "attribute", "attributes", "auction", "auth", "author", "authorization", "availability", "available", "avatar", "average", "avg", "awakenings", "axis", "azimuth", "back", "backlog", "backtrace", "bag", "baggage", "bags", "balance", "band", "bandwidth", "bank", "banner", "base", "batch", "bathrooms", "bearer", "bearing", "bed", "bedrooms", "bic", "billing", "birth", "birthplace", "bit", "bitrate", "block", "blood", "bluetooth", "board", "body", "bogus", "bonus", "book", "booking", "born", "bounce", "branch", "brand", "breath", "breaths", "brightness", "browser", "bssid", "bucket", "budget", "build", "building", "bundle", "burn", "burned", "business", "buyer", "byte", "bytes", "cabin", "cached", "cadence", "call", "callback", "called", "callee", "caller", "calling", "calories", "camera", "campaign", "cancel", "canton", "capital", "caption", "captured", "carb", "carbohydrate", "card", "care", "carousel", "cart", "case", "cash", "cat", "categories", "cause", "cell", "cellphone", "celsius", "center", "cents", "certainty", "change", "changed", "channel", "character", "charge", "charger", "charges", "charset", "check", "checkpoint", "checksum", "children", "chill", "cholesterol", "churn", "cipher", "citizenship", "city", "civil", "class", "classification", "clearing", "click", "clicked", "clicks", "clickstream", "client", "clinic", "close", "closed", "cloud", "cloudiness", "clouds", "cluster", "code", "codec", "codes", "coffee", "coins", "collection", "college", "color", "colour", "column", "comment", "commission", "commit", "committer", "commodity", "company", "compass", "compensation", "complaint", "complete", "completed", "component", "composer", "compression", "computer", "condition", "conditions", "confidence", "config", "confirmation", "conn", "connection", "connector", "consumed", "consumer", "consumption", "contact", "contacts", "container", "content", "context", "contract", "conversion", "cookie", "coordinate", "coords", "core", "cores", "corporation", "cost", "costs", "counts", "coupon", "courier", "course", "cover", "coverage", "create", "created", "creation", "creative", "credential", "credit", "credits", "criticality", "cross", "currency", "current", "cursor", "cusip", "customer", "customs", "daemon", "daily", "danger", "data", "database", "day", "days", "deal", "death", "debit", "debt", "decibel", "decibels", "declination", "definition", "degree", "degrees", "delay", "deleted", "delivered", "delta", "depart", "departing", "department", "departure", "dependents", "deployment", "deposit", "depot", "depth", "description", "designation", "destination", "detail", "details", "deviation", "device", "devices", "diagnosis", "diagnostic", "dialed", "diameter", "diastolic", "diff", "difference", "digest", "digits", "dilution", "direction", "dish", "disk", "display", "disposition", "distance", "distributor", "district", "division", "doc", "document", "domain", "donation", "door", "dosage", "dose", "downloads", "drink", "driver", "drivers", "driving", "dropoff", "drug", "duration", "dust", "dwell", "dwelling", "earnings", "ecpm", "edge", "edit", "edited", "education", "efficiency", "elapsed", "element", "elevation", "email", "employed", "employee", "employees", "employer", "employment", "enabled", "encoding", "encounter", "end", "ended", "endpoint", "energy", "engine", "enrolled", "entered", "entity", "entry", "environment", "episode", "epoch", "errno", "error", "errors", "estimated", "etag", "ethernet", "event", "events", "exam", "exception", "exchange", "exec", "executable", "execution", "exercise", "exit", "expense", "expenses", "experience", "expiration", "expire", "expires", "expiry", "explanation", "external", "extra", "facility", "factor", "fahrenheit", "family", "fare", "fault", "fee", "feels", "fees", "fever", "fiber", "fibre", "fico", "field", "file", "film", "fine", "fingerprint", "finished", "firm", "first", "fiscal", "flag", "fleet", "flight", "floor", "floors", "flow", "flux", "folder", "followers", "font", "food", "fore", "forename", "forex", "form", "four", "fqdn", "fraction", "frame", "fraud", "frequency", "friend", "from", "fuel", "full", "function", "gain", "gallon", "game", "gas", "gate", "gateway", "gear", "gender", "generation", "genre", "geo", "gift", "github", "given", "glucose", "goals", "goods", "grade", "gram", "grams", "gravatar", "gravity", "gross", "ground", "group", "growth", "gtin", "guest", "gust", "gyro", "gyroscope", "hand", "handle", "hash", "header", "headers", "heading", "headline", "health", "heap", "heart", "heat", "hectares", "height", "hertz", "high", "hire", "hits", "hmac", "holder", "home", "hops", "hospital", "host", "hotel", "hotline", "hour", "hourly", "hours", "house", "href", "http", "humidity", "hvpt", "iata", "iban", "icao", "iccid", "icon", "identification", "idle", "illuminance", "image", "imei", "impact", "impression", "impressions", "imsi", "inch", "incident", "incoterm", "index", "industry", "info", "ingested", "ingredient", "initial", "input", "inserted", "installed", "instance", "institution", "instructions", "instrument", "insured", "insurer", "interaction", "interest", "interval", "invitation", "invite", "invoice", "ip", "isbn", "isin", "iso", "isrc", "issue", "issuer", "item", "items", "itinerary", "java", "jitter", "job", "join", "joined", "journey", "json", "kbps", "kcal", "kelvin", "kernel", "key", "kills", "kilogram", "kilojoules", "kilowatt", "kilowatts", "kind", "knots", "kwh", "label", "landing", "landline", "landmark", "lane", "language", "laps", "last", "launch", "lead", "legal", "length", "lesson", "letter", "level", "license", "life", "light", "likelihood", "likes", "limit", "line", "lines", "link", "list", "listen", "listing", "load", "loan", "local", "locale", "locality", "location", "locator", "lock", "log", "logger", "logging", "login", "logo", "logon", "logout", "loinc", "losses", "loudness", "loyalty", "luminosity", "machine", "magnetometer", "magnitude", "maiden", "mail", "mailing", "main", "mains", "make", "maker", "manager", "manufacturer", "map", "margin", "marital", "mark", "market", "marketing", "mask", "masked", "mass", "match", "material", "maturity", "max", "mbar", "mbps", "meal", "measure", "measurement", "media", "medication", "medicine", "medium", "megabits", "megabytes", "member", "membership", "memory", "menu", "merchant", "message", "messages", "metadata", "meter", "meters", "method", "metric", "micro", "micros", "microservice", "middle", "mileage", "miles", "milliamp", "milliampere", "milliamperes", "millivolt", "millivolts", "mime", "min", "miner", "minor", "minute", "minutes", "mmhg", "mobile", "mode", "model", "modified", "module", "money", "month", "months", "mortgage", "mount", "movie", "msisdn", "msrp", "municipality", "muscle", "museum", "name", "namespace", "narrative", "nation", "nationality", "nearby", "network", "new", "news", "next", "nick", "nights", "node", "noise", "nonce", "note", "notional", "number", "numeric", "object", "observation", "occupancy", "occupants", "occupation", "occurred", "octets", "odds", "odometer", "offer", "office", "offset", "old", "online", "opacity", "open", "opened", "operating", "operation", "operational", "operator", "option", "order", "ordered", "ordinal", "organization", "origin", "os", "output", "owned", "owner", "oxygen", "pace", "package", "packet", "packets", "page", "pages", "pain", "pair", "paired", "parameters", "params", "parcel", "parent", "parental", "park", "part", "partition", "partner", "party", "pascal", "pass", "passenger", "passwd", "path", "patient", "pay", "payer", "payment", "payout", "peer", "penalty", "pence", "people", "percent", "percentile", "performance", "performed", "period", "periods", "permalink", "person", "persons", "phase", "phone", "photo", "phrase", "pickup", "picture", "pieces", "pin", "pipeline", "pitch", "pixel", "pixels", "pizza", "place", "plan", "plant", "plate", "play", "player", "playlist", "plays", "plugin", "point", "points", "policy", "pool", "population", "port", "portion", "position", "posix", "post", "posted", "poster", "pounds", "power", "ppid", "precip", "precipitation", "precision", "prefecture", "premium", "prescription", "pressure", "prev", "previous", "price", "principal", "priority", "privacy", "private", "probability", "proceeds", "process", "processed", "produced", "producer", "product", "profession", "profile", "profit", "program", "project", "promo", "promotion", "propensity", "properties", "property", "proportion", "protein", "protocol", "provider", "province", "proxy", "public", "publish", "published", "publisher", "pulse", "purchase", "python", "quality", "quantity", "quarter", "question", "queue", "quote", "rack", "radio", "radius", "rain", "rainfall", "range", "rank", "rate", "ratio", "raw", "reach", "readiness", "reading", "reason", "rebate", "recall", "receipt", "received", "recipient", "record", "recorded", "records", "recurrence", "ref", "reference", "referer", "referral", "referrer", "refresh", "refund", "region", "register", "registered", "registration", "relation", "release", "relevance", "remaining", "remark", "remote", "removed", "rent", "replicas", "reply", "repo", "repository", "request", "requested", "requests", "reservation", "reserved", "residual", "resolution", "resolved", "resort", "resource", "resp", "respiration", "response", "restaurant", "result", "retailer", "retries", "retry", "return", "revenue", "review", "reviewed", "reviewer", "revision", "revolutions", "reward", "rewards", "ride", "risk", "rmse", "rmssd", "road", "role", "roll", "room", "rooms", "rotation", "round", "route", "router", "row", "rows", "rpm", "rsrq", "rssi", "rule", "run", "safety", "sale", "sales", "salt", "sample", "sampling", "saturation", "savings", "scan", "schedule", "scheduled", "schema", "scheme", "school", "scope", "score", "screen", "screenname", "sdnn", "search", "season", "seat", "seats", "second", "seconds", "secret", "section", "sector", "security", "segment", "seller", "sender", "sensor", "sent", "sentiment", "sequence", "serial", "series", "server", "service", "session", "sessions", "set", "settings", "settle", "severity", "shard", "share", "shares", "sharpe", "shelf", "shift", "ship", "shipment", "shipped", "shipper", "shipping", "shop", "short", "show", "side", "sigma", "signal", "signatory", "signed", "similarity", "since", "sinr", "site", "size", "skill", "skin", "slot", "snapshot", "snow", "snowfall", "social", "sodium", "sold", "song", "sound", "source", "span", "spec", "species", "speed", "spend", "spending", "sponsor", "sport", "spot", "sqft", "stack", "stadium", "staff", "stage", "star", "stars", "start", "started", "state", "statement", "station", "status", "stddev", "steering", "step", "steps", "stock", "stop", "stops", "storage", "store", "street", "strength", "strike", "string", "strokes", "student", "studio", "subject", "submitted", "subscribers", "subscription", "suburb", "success", "sugar", "sum", "supplier", "supply", "surcharge", "swift", "symbol", "syslog", "system", "systolic", "table", "tag", "tank", "target", "tariff", "task", "tax", "taxes", "team", "technology", "temp", "tenant", "tender", "tenure", "term", "terminal", "test", "text", "theme", "thread", "threads", "threat", "threshold", "throughput", "thumbnail", "thumbprint", "tick", "ticker", "ticket", "tier", "time", "timeout", "tire", "title", "to", "token", "toll", "toner", "tonnes", "topic", "total", "town", "trace", "traceparent", "track", "tracker", "tracking", "trade", "trading", "traffic", "transaction", "transcript", "transfer", "transit", "transport", "travel", "trend", "trial", "trip", "truck", "turbidity", "turnover", "tvoc", "twitter", "txid", "type", "tyre", "uncertainty", "unit", "units", "university", "unix", "up", "upca", "uploader", "upstream", "urgency", "url", "usage", "used", "user", "useragent", "users", "validator", "value", "variability", "variance", "variant", "vehicle", "velocity", "vendor", "venue", "verb", "verified", "version", "video", "view", "viewed", "viewport", "views", "village", "vin", "visibility", "visit", "visitor", "visitors", "visits", "volt", "voltage", "volts", "volume", "votes", "voucher", "vwap", "wage", "wait", "waiting", "walk", "wallet", "warehouse", "warning", "warnings", "water", "watermark", "watt", "wattage", "watts", "weather", "web", "webhook", "week", "weight", "whatsapp", "wholesaler", "width", "wifi", "win", "wind", "window", "wins", "word", "work", "worker", "workers", "workflow", "workout", "workouts", "workstation", "worth", "xoffset", "year", "yearly", "years", "yield", "yoffset", "zip", "zone"]
)  # fmt: skip
# Words of a language that end like two others run together, or are what a name means as a whole.
_ONE_WORD = frozenset(
    ["uuid", "guid", "ssid", "oxid", "acid", "amid", "arid", "avid", "laid", "maid", "raid", "said", "curl", "account", "amount", "discount", "count", "country", "county", "candidate", "candidates", "certified", "paid", "valid", "invalid", "bid", "avoid", "grid", "android", "void", "humid", "fluid", "hybrid", "solid", "covid", "rapid", "liquid", "update", "updated", "updates", "validate", "mandate", "date", "outdated", "runtime", "uptime", "downtime", "lifetime", "realtime", "overtime", "sometime", "daytime", "nighttime", "bedtime", "mealtime", "pastime", "wartime", "firstname", "lastname", "surname", "nickname", "username", "filename", "hostname", "rename", "domainname", "zipcode", "postcode", "barcode", "unicode", "encode", "decode", "transcode", "opcode", "geocode", "timezone", "timestamp", "datetime", "website", "homepage", "feedback", "firmware", "software", "hardware", "password", "passport", "postal", "keyword", "outcome", "income", "broker", "payload", "latency", "subtotal", "upload", "download", "checkout", "checkin", "rating", "latitude", "longitude", "altitude", "signature", "nature", "temperature", "platform", "perform", "performer", "transform", "carrier", "barrier", "category", "factory", "history", "inventory", "territory", "directory", "battery", "delivery", "discovery", "recovery", "query", "gallery", "salary", "library", "summary", "primary", "secondary", "temporary"]
)  # fmt: skip
# The last words that show where an unknown word before them ends.
_ENDINGS = (
    "id",
    "time",
    "date",
    "name",
    "code",
    "status",
    "number",
    "address",
    "url",
    "price",
    "type",
    "count",
    "size",
)
_SPLIT = {
    "zipcode": ("zip", "code"),
    "postcode": ("postcode",),
    "postalcode": ("postcode",),
    "hostname": ("host", "name"),
    "username": ("user", "name"),
    "filename": ("file", "name"),
    "useragent": ("user", "agent"),
    "timezone": ("timezone",),
    "timestamp": ("timestamp",),
    "firstname": ("first", "name"),
    "lastname": ("last", "name"),
    "phonenumber": ("phone", "number"),
    "cardnumber": ("card", "number"),
    "birthdate": ("birth", "date"),
    "birthday": ("birth", "date"),
    "ipaddress": ("ip", "address"),
    "ipaddr": ("ip", "address"),
    "macaddress": ("mac", "address"),
    "checkin": ("check", "in"),
    "checkout": ("check", "out"),
    "weekday": ("day", "of", "week"),
    "dayofweek": ("day", "of", "week"),
    "ismobile": ("is", "mobile"),
    "isactive": ("is", "active"),
    "pageview": ("page", "view"),
    "pageviews": ("page", "views"),
    "datatype": ("data", "type"),
    "heartrate": ("heart", "rate"),
    "bedtime": ("bedtime",),
}


@cache
def words(name: str) -> tuple[str, ...]:
    """Return the words of a name, in lower case, with usual short forms spelled out."""
    for torn, one in _WHOLE:
        name = name.replace(torn, one)
    found = [word for part in _PARTS.findall(name) for word in _apart(part.lower())]
    long = [word for part in found for word in _SHORT.get(part, part).split()]
    if long and long[-1] in _LAST and (len(long) > 1 or long[-1] == "cur"):
        long[-1] = _LAST[long[-1]]
    return tuple(part for word in long for part in _SPLIT.get(word, (word,))) or (name.lower(),)


def phrase(name: str) -> str:
    """Return the words of a name with blanks between them; ``height_in_cm`` is as ``height_cm``."""
    return _IN_UNITS.sub(" ", " ".join(words(name)))


_IN_UNITS = re.compile(
    r" in (?=(ns|us|ms|s|seconds|minutes|hours|days|months|years|mm|cm|m|km|g|kg|c|f|k|percent|bytes|kb|mb|gb|cents|eur|usd|gbp)$)"
)


def singular(word: str) -> str:
    """Return the singular of an English noun, as far as its ending shows it."""
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("sses", "xes", "ches", "shes")):
        return word[:-2]
    return word[:-1] if word.endswith("s") and not word.endswith(("ss", "us", "is", "news")) else word


def _apart(word: str) -> list[str]:
    """Split what is written without a gap, where known words show how."""
    if match := re.fullmatch(r"([a-z]+)(\d+)([a-z]{3,})", word):
        return [match[1] + match[2], *_apart(match[3])]
    bare = word.rstrip("0123456789")
    if bare != word and len(bare) > 2 and not _NUMBERED.fullmatch(word):
        return _apart(bare)
    if match := re.fullmatch(r"([a-z]{3,}ed)(at|on|by)", word):
        return [*_apart(match[1]), match[2]]
    if word in _ONE_WORD or word in _KNOWN or word in _SHORT or word in _SPLIT or len(word) < 4:
        return [word]
    if len(word) == 4:
        return [word[:2], "id"] if word.endswith("id") else ["url"] if word.endswith("url") else [word]
    if known := _of_known(word):
        return known
    for ending in sorted(_ENDINGS + tuple(_SPLIT), key=len, reverse=True):
        if word.endswith(ending) and len(word) - len(ending) >= 3 and not word.endswith("valid"):
            return [*_apart(word.removesuffix(ending)), ending]
    return [word]


@cache
def _of_known(word: str) -> list[str] | None:
    """Return the fewest known words that a word consists of."""
    best: list[list[str] | None] = [[]] + [None] * len(word)
    for end in range(1, len(word) + 1):
        for begin in range(end):
            before, part = best[begin], word[begin:end]
            if before is None or not (
                part in _KNOWN or part in _ONE_WORD or part in _SHORT or (part in ("id", "cur") and begin)
            ):
                continue
            if best[end] is None or len(before) + 1 < len(best[end] or ()):
                best[end] = [*before, part]
    return best[-1]
