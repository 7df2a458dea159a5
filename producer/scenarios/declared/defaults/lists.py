"""Words that fields of one name take their values from, the usual ones first."""

from __future__ import annotations

from typing import Any

# Name of the list: its values, most frequent first, with commas between them.
_LISTS = """
order status: NEW, PAID, SHIPPED, DELIVERED, CANCELLED, RETURNED
payment status: SETTLED, AUTHORIZED, PENDING, DECLINED, REFUNDED
trade status: FILLED, PARTIALLY_FILLED, NEW, CANCELED, REJECTED
job status: SUCCEEDED, RUNNING, QUEUED, FAILED, CANCELLED
device status: online, idle, offline, maintenance, error
ticket status: open, in_progress, resolved, closed
shipment status: in_transit, delivered, created, out_for_delivery, delayed, returned
flight status: scheduled, boarding, departed, landed, delayed, cancelled
http status: 200, 304, 404, 301, 500, 403, 302, 503
status: active, new, pending, done, cancelled
health status: healthy, degraded, unhealthy
connection state: connected, connecting, disconnected
gender: female, male, other
currency: EUR, USD, GBP, CHF, JPY, SEK
locale: en-US, de-DE, en-GB, fr-FR, es-ES, de-AT, it-IT
language: en, de, fr, es, it, pt, ja
timezone: Europe/Vienna, America/New_York, Europe/London, Asia/Tokyo, Europe/Berlin, America/Chicago, UTC
charset: UTF-8, ISO-8859-1, windows-1252, US-ASCII
mime: application/json, text/html, image/png, application/pdf, text/plain, image/jpeg
http method: GET, POST, PUT, DELETE, PATCH, HEAD
log level: INFO, DEBUG, WARN, ERROR, FATAL
severity: low, medium, high, critical
priority: normal, high, low, urgent
cdc op: u, c, d, r
cdc snapshot: false, true, last
connector: postgresql, mysql, mongodb, sqlserver, oracle
department: Sales, Engineering, Marketing, Finance, Human Resources, Support, Operations, Legal
channel: web, mobile_app, store, email, phone, partner
platform: ios, android, web, windows, macos
os: Android, iOS, Windows, macOS, Linux
browser: Chrome, Safari, Firefox, Edge, Opera
device type: smartphone, desktop, tablet, tv, watch
payment method: card, paypal, bank_transfer, apple_pay, invoice, cash
card brand: visa, mastercard, amex, discover
card type: debit, credit, prepaid
order type: limit, market, stop, stop_limit
side: BUY, SELL
direction: up, down, flat
traffic direction: inbound, outbound
medium: organic, cpc, email, social, referral
source: google, newsletter, facebook, direct, partner
campaign: spring_sale, newsletter_3, back_to_school, black_friday, loyalty_2025
tier: standard, silver, gold, platinum
plan: free, basic, premium, enterprise
segment: consumer, business, student, public
role: member, admin, editor, viewer, owner
access level: PUBLIC, PRIVATE, FRIENDS, SHARED
action: view, click, add, remove, search, purchase
security action: allow, deny, alert, drop
activity: walking, running, cycling, swimming, strength_training
result: success, failure, timeout
reason: changed_mind, out_of_stock, damaged, too_late, wrong_item
delay reason: Heavy traffic, Bad weather, Customs inspection, Vehicle breakdown, Missing papers
genre: drama, comedy, documentary, thriller, animation, music
content rating: PG, G, PG-13, R, TV-14
game mode: ranked, casual, deathmatch, capture_the_flag, training
room type: double, single, suite, twin
trip type: round_trip, one_way, multi_city
cabin: economy, premium_economy, business, first
vehicle type: car, van, truck, motorcycle, bus
fuel: petrol, diesel, electric, hybrid
rat: LTE, NR, UMTS, GSM
record type: MOC, MTC, SMS, GPRS
protocol: TCP, UDP, HTTP, HTTPS, ICMP, TLS
codec: h264, hevc, av1, vp9, aac
resolution: 1920x1080, 1280x720, 3840x2160, 854x480
energy class: B, A, C, D, A+, E, F, G
letter grade: A, B+, B, A-, C+, C, D, F
blood type: O+, A+, B+, AB+, O-, A-, B-, AB-
initial: A, J, M, S, K, L, R, T, B, E
incoterm: DAP, DDP, FOB, CIF, EXW, FCA, CPT
icd10: I10, E11.9, J45.909, M54.5, F32.9, J06.9, K21.9, N39.0, E78.5, R51
loinc: 8480-6, 8462-4, 8867-4, 2339-0, 718-7, 2951-2
mcc: 5411, 5812, 5541, 5732, 4111, 7011, 5999
exchange: XNAS, XNYS, XETR, XLON, XPAR
ticker: ACME, AAPL, MSFT, SAP, OMV, VOE, NESN, BRK.B
airline: OS, LH, BA, AF, UA, DL, KL
iata: VIE, FRA, LHR, JFK, CDG, AMS, ZRH, MUC, ORD, NRT, SIN
icao: LOWW, EDDF, EGLL, KJFK, LFPG, EHAM
unit: kg, g, ml, l, cm, m, h, count
measure unit: °C, %, hPa, m/s, ppm, W, V
colour: Black, White, Blue, Red, Green, Grey, Silver
size: M, S, L, XL, XS
drink size: small, medium, large
party: DEM, REP, IND, LIB, GRE
category: electronics, clothing, books, home, toys, sports
news category: politics, sports, business, culture, science
app category: social, productivity, games, music, health
spend category: groceries, restaurants, fuel, travel, electronics, pharmacy
event type: page_view, click, purchase, login, logout
dotted type: com.example.order.created, com.example.order.paid, com.example.user.updated, com.example.payment.failed
entity type: order, customer, payment, product
item type: book, shirt, bottle, lamp, chair
quality: good, fair, poor, unknown
type: standard, express, special
meal: breakfast, lunch, dinner, snack
weather: clear, cloudy, rain, snow, fog
marital: single, married, divorced, widowed
education: bachelor, master, secondary, doctorate
employment: full_time, part_time, contractor, intern
region name: Styria, Tyrol, Bavaria, Oregon, Ohio, Piedmont, Queensland, Alberta
cloud region: eu-central-1, us-east-1, eu-west-1, ap-southeast-2
environment: production, staging, test, development
network type: wifi, 5g, 4g, ethernet
sentiment: positive, neutral, negative
stage: lead, qualified, proposal, won, lost
phase: planning, running, closing, done
shift: day, evening, night
semester: fall, spring, summer, winter
frequency: daily, weekly, monthly, yearly
day name: Monday, Tuesday, Wednesday, Thursday, Friday, Saturday, Sunday
month name: January, February, March, April, May, June, July, August, September, October, November, December
algorithm: AES256, RSA2048, SHA256, ED25519
service: order-service, payment-service, checkout, catalog, search, auth-service, notification-service, billing
rule: velocity-check, large-amount, new-device, geo-mismatch, blocked-merchant
job: nightly-export, daily-report, reindex, cleanup, import-orders
repository: shop-frontend, data-platform, order-service, infra, mobile-app
package: org.example.mail, com.example.maps, org.example.player, com.example.bank, org.example.chat
metric: http_requests_total, cpu_seconds_total, memory_bytes, queue_length, request_duration_seconds
database: shop, inventory, billing, crm, warehouse
schema: public, sales, billing, audit
table: orders, order_items, customers, payments, products
column: id, created_at, status, amount, customer_id
topic: shop.orders.v1, shop.payments.v1, crm.customers.v2, web.clicks
namespace: shop.orders, shop.payments, crm, web
consumer group: orders-loader, billing, search-indexer, audit
cluster: production-eu, production-us, staging
product: Steel bottle 500 ml, Desk lamp, Running shoes, Wool scarf, Coffee grinder, Travel mug, Garden chair, Office chair, Bread knife, Rain jacket, Notebook A5, Bicycle light
brand: Northwind, Contoso, Acme, Fabrikam, Globex, Initech, Umbra and Sons, Hillside
carrier: DHL, UPS, FedEx, DPD, GLS, Austrian Post
hotel: Hotel Seeblick, Grand Plaza, Park Inn, Alpenhof, Harbour House, City Lodge
place: Hotel Seeblick, Central Station, Harbour Market, Museum Quarter, North Park, City Hall
title: Summer sale 3, Quarterly review, Getting started, New arrivals, Weekly report, Travel guide
label: Morning run, Summer sale 3, Priority, Reviewed, Default
tag: sale, new, featured, kernel, gift
group: administrators, operators, guests, analysts, auditors
artist: The Northern Lights, Clara Winter, Blue Harbour, Silent Rivers, Ana Moreno
track: Night Train, Golden Hour, Paper Boats, Long Way Home, Winter Sun
team: Red Foxes, Blue Sharks, Wolves, Falcons
map: Harbour, Desert Storm, Old Town, Ice Field
course: Algebra I, World History, Organic Chemistry, Databases, Art History
drug: Ibuprofen 400 mg, Amoxicillin 500 mg, Metformin 850 mg, Ramipril 5 mg
diagnosis: Essential hypertension, Type 2 diabetes, Acute bronchitis, Low back pain
species: Picea abies, Fagus sylvatica, Quercus robur, Pinus nigra
school: North High School, University of Graz, City College, Lakeside School
bank: First Savings Bank, Alpine Bank, Harbour Credit Union, Northern Trust
make: Toyota, Volkswagen, Ford, Skoda, Renault, BMW
model: Model 3, Golf, Octavia, Corolla, Focus, Clio
device model: X100, Pro 12, Edge-7, S21, Mini 4
definition: Request was successful, Page was not found, Access is not allowed, An error of the server
facility: kern, daemon, auth, cron, syslog, local0
language name: English, German, French, Spanish, Italian
nationality: AT, DE, US, GB, FR, IT
industry: retail, manufacturing, banking, health care, logistics, energy
account type: checking, savings, business, joint
transaction type: purchase, refund, transfer, withdrawal, deposit
visit type: outpatient, inpatient, emergency, virtual
property type: apartment, house, studio, office
"""


def _read(line: str) -> tuple[str, tuple[str, ...]]:
    name, _, values = line.partition(": ")
    return name, tuple(values.split(", "))


LISTS: dict[str, tuple[str, ...]] = dict(_read(line) for line in _LISTS.split("\n") if line)


def choice_of(name: str) -> dict[str, Any]:
    """Return the rule of a list: the chance of a value falls with its rank."""
    return {"choice": {value: round(1 / rank, 3) for rank, value in enumerate(LISTS[name], 1)}}
