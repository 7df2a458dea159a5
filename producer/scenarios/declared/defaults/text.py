"""What a text holds, by its name and what is around it. The first reading that fits counts."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Any

from producer.scenarios.declared.defaults.codes import FORMS, MET_OFTEN, checked
from producer.scenarios.declared.defaults.field import Field
from producer.scenarios.declared.defaults.lists import choice_of
from producer.scenarios.declared.defaults.places import of_place, whose

# Words of records that are about people, things that run, things that are sold ...
PERSON = (
    r"\b(persons?|players?|riders?|people|customers?|users?|employees?|patients?|students?|drivers?|passengers?|contacts?|members?|clients?|"
    r"subscribers?|authors?|instructors?|teachers?|doctors?|physicians?|nurses?|guests?|visitors?|candidates?|applicants?|"
    r"tenants?|owners?|holders?|cardholders?|beneficiary|debtor|creditor|payer|payee|buyer|seller|agent|manager|"
    r"supervisor|contacts?|recipient|sender|staff|worker|technician|operator|caller|callee|actor|reviewer|approver|"
    r"assignee|reporter|lead|chef|host|borrower|lender|insured|claimant|attendee|participant|donor|voter|resident|profile)\b"
)
_SOFTWARE = (
    r"\b(services?|apps?|applications?|syslog|siem|process|daemon|job|task|workflow|pipeline|dag|connector|source|module|component|"
    r"plugin|program|functions?|lambda|worker|repos?|repository|project|deployment|build|cluster|server|logger|consumer|producer|span|"
    r"trace|scope|resource|microservice|queue|bucket|container|pod|log|logs|agent|runner|instance|script|image|bot|api|namespace)\b"
)
_PERSONAL = r"\b(email|phone|birth|dob|gender|sex|age|first name|last name|surname|ssn|salary|marital)\b"
_GOODS = r"\b(products?|items?|goods|articles?|skus?|catalog|menu|inventory|stock|cart|basket|merchandise|lines?|shoes?|pizza|book|parts?)\b"
# Words around a field that decide, by the name that the table gives them.
_AROUND: dict[str, str] = {
    "address": r"\b(city|town|zip|postcode|postal|street|county|country|address|addresses|location|region|geo|place|shipping|billing|gender|household|voter)\b",
    "apps": r"\b(app|apps|package name|usage event|phone usage)\b",
    "card expiry": r"\b(card|cards|cvv|cvc|pan)\b",
    "cars": r"\b(car|cars|vehicle|vehicles|vin|make|mileage|odometer|engine)\b",
    "cdc": r"\b(envelope|lsn|binlog|gtid|snapshot|connector|ddl|cdc|debezium|xmin|scn|timestamp (ms|ns|us))\b",
    "clicks": r"\b(referrer|referer|user agent|agent|clickstream|http|url|request|response|bytes|endpoint)\b",
    "cloud": r"\b(cloud|aws|azure|gcp|cluster|instance|bucket|vm|pod|node|host|service|lambda|availability|deployment|kubernetes)\b",
    "cloud events": r"\b(spec version|cloud event|data content type|data schema)\b",
    "commits": r"\b(commits?|push|pusher|ref|refs|repository|branch|merge|pull request)\b",
    "crypto": r"\b(block|blockchain|eth|ethereum|bitcoin|btc|token|wallet|contract|gas|miner|nonce|crypto|nft|chain|wei)\b",
    "devices": r"\b(devices?|sensors?|machines?|meters?|robots?|chargers?|charging|thermostat|firmware version)\b",
    "education": r"\b(course|student|enrollment|exam|grade|school|teacher|instructor|class|lesson|semester)\b",
    "events": r"\b(spec version|data content type|cloud event|event)\b",
    "jobs": r"\b(jobs?|tasks?|runs?|workflows?|pipelines?|dags?|builds?|deployments?|connectors?|batch|executions?)\b",
    "logs": r"\b(log|logs|logger|message|trace|syslog|audit|thread)\b",
    "mail": r"\b(email|mail|inbox|smtp|subject|cc|newsletter)\b",
    "markets": r"\b(execution report|cl order id|symbol|leaves quantity|trade|quote)\b",
    "models of data": r"\b(dbt|sql|relation|materiali[sz]ation|materiali[sz]ed|invocation|lineage)\b",
    "mime": r"\b(file|content|media|http|upload|attachment|data|document|image|asset|spec version)\b",
    "network": r"\b(port|packet|flow|firewall|http|ip|tcp|udp|dns|request|proxy|gateway|access log)\b",
    "network only": r"\b(port|packet|flow|protocol|firewall|network|ip|tcp|udp|netflow|dns|bytes|connection)\b",
    "news": r"\b(article|news|story|headline|publisher|author)\b",
    "orders": r"\b(orders?|purchases?|cart|checkout|basket|invoices?|sales?)\b",
    "persons": PERSON + r"|\b(salary|department|hire date|first name|last name|email|hr|payroll)\b",
    "security": r"\b(siem|firewall|security|threat|intrusion|ids|waf|acl|access group|rule)\b",
    "shipments": r"\b(shipments?|parcels?|deliver(y|ies)|tracking number|consignment|freight)\b",
    "telecom": r"\b(call|cdr|imsi|imei|msisdn|cell|sms|mnc|roaming|telecom|subscriber|sim|apn|rat)\b",
    "trading": r"\b(trade|trades|quote|quotes|order|bid|ask|ticker|symbol|stock|execution|isin|exchange|market|tick|position|portfolio|security)\b",
    "travel": r"\b(flights?|booking|airline|airport|departure|arrival|trip|itinerary|passengers?|pnr|fare|baggage|boarding|travel)\b",
    "web": r"\b(http|url|web|page|click|clickstream|referrer|user agent|agent|request|browser|session|visit|pageview|site|utm)\b",
}


@dataclass(frozen=True, slots=True)
class _Reading:
    """``named``: what the name's words match; ``near``: what the record, or a field beside it, must match."""

    named: str
    values: str
    near: str = ""


def _readings(text: str) -> tuple[_Reading, ...]:
    lines = [line.strip().split(" => ") for line in text.split("\n") if line.strip()]
    return tuple(_Reading(one[0], one[1], _AROUND[one[2]] if len(one) > 2 else "") for one in lines)


# A pattern for the words of the name => the values => the words around it, if they decide.
# Values: a form of codes.py, a list of lists.py (list:), a list with check digits (checked:), a part of a place (place:),
# or a kind of Faker's (faker:).
_TABLE = r"""
^subject$ => list:title => events
^(before|after|base|head|parent)$ => form:hex40 => commits
\b(request|original|target) uri$ => form:url_path
\b(url|uri) (full|original|raw|text|string|short|long)$|\blanding (site|page)$|\b(site|app|web) (page|ref)$ => form:url
\blogin$ => faker:user_name
\bcall ?sign$ => form:call_sign
\bsquawk( code)?$ => form:squawk
^schema$ => form:url => events
^(producer|schema url)$ => form:url
\b(mac|bssid|ethernet|bluetooth|wifi|hardware)( (address|id))?$ => form:mac
\bip ?v6( address)?$|\bipv6( address)?$ => form:ipv6
\bip( (address|v4))?$|\bipv4( address)?$|^ip (source|destination|client|remote|local|public|private|internal|external|text|string|anonymi[sz]ed|from|to)$ => form:ipv4
\b(forwarded for|next hop)$|^(client|remote|peer|caller)$ => form:ipv4 => network
\b(remote|client|server|peer|bind|listen|host|gateway|dns|proxy|source host|router|switch|broker|controller|sgsn|ggsn|pgw|sgw|msc|mme|amf|smf|upf|nas|node|endpoint|interface) address$ => form:ipv4
\b(source|destination|local) address$ => form:ipv4 => network only
\b(from|to|wallet|contract|token|sender|recipient|owner|miner|validator|address)( address)?$ => form:crypto_address => crypto
\b(block|transaction|tx|parent) hash$|^hash$ => form:crypto_hash => crypto
\be ?mail( (address|id))?$|^e mail\b => faker:email
\b(from|to|cc|bcc|reply to|sender|recipient) address$ => faker:email => mail
\b(image|photo|picture|avatar|thumbnail|icon|logo|poster|cover|banner) (url|uri|link|href)$ => form:image_url
\b(ur[il]s?|links?|href|website|web site|homepage|referrer|referer|webhook|permalink|web page|landing page|callback)$ => form:url
\b(avatar|thumbnail|photo|picture|logo|poster)$ => form:image_url
^data schema$ => form:url
\burl host$|\b(host|hostname|host name|fqdn|server name|dns name|node name|machine name|computer name|broker)$ => form:host
^(host|server|node|computer|workstation)$ => form:host
\b(domain|domain name|site)$ => form:domain
\b(reply to|cc|bcc)$ => faker:email
\barn$ => form:arn
\bapn$ => form:apn
\burl path$|\b(request|url|http|uri|page) (path|route|uri)$|\broute$|^endpoint$|\bapi (path|route|endpoint)$ => form:url_path
^(path|route|endpoint|uri)$ => form:url_path => web
\b(path|directory|folder|executable|cwd)$ => form:file_path
\b(file name|file|filename|attachment)$ => form:file_name
\bua$|\buser agent( string)?$ => form:user_agent
^agent$ => form:user_agent => web
\b(http|request) (method|verb)$|^verb$ => list:http method
^method$ => list:http method => web
\b(http|response|upstream) (status|code|status code)$|^status code$ => list:http status
^(status|code|response)$ => list:http status => clicks
^request$|\brequest line$ => form:request_line
\btraceparent\b => form:traceparent
\b(password|passwd|pass) (hash|digest)?$|\bpassword hash$ => form:bcrypt
\bmd5( (hash|sum|checksum))?$ => form:md5
\bsha ?1( (hash|sum|checksum))?$|\bsha$|\bcommit( (id|hash))?$|\bgit (hash|ref)$ => form:hex40
\bsha ?512\b => form:hex128
\bsha ?256( (hash|sum|checksum))?$|\b(hash|digest|checksum|fingerprint|thumbprint|etag)$ => form:hex64
\b(gravatar) id$ => form:md5
\bjwt$|\b(id|bearer) token$ => form:jwt
\b(approval|authorization|auth) code$ => form:approval
\b(token|secret|api key|apikey|access key|private key|public key|signature|nonce|cookie|credential|password|cursor|salt|hmac)$ => form:opaque
^sequence$ => form:opaque => cdc
\b(firmware|software|app|application|os|api|client|agent|device|spec|schema|tls|ssl|protocol|kernel|driver|sdk|tracker|browser|model|build|java|python|engine)? ?version( (name|string|number))?$|^v tracker$|\btracker version$|^(fw|build)$|\b(firmware|release|build)$ => form:version
\b(content|mime|media|data content|file) type$|^mime$ => list:mime => mime
\bmime( type)?$|\bcontent type$ => list:mime
\b(charset|character set|encoding)$ => list:charset
\blocale$ => list:locale
\blanguage( code)?$ => list:language
\btimezone( (id|name))?$|\btime zone( (id|name))?$ => list:timezone
\bcurrency( code)?$ => list:currency
\b(iso ?3|iso3|alpha ?3)( code)?$|\bcountry (iso3|alpha3|code3)\b => place:alpha3
\bcountry (code|iso|iso2|id|alpha2|iso code)$|\b(country code)\b|^cc$ => place:alpha2
\bgeo country$ => place:alpha2
\bnationality$|\bcitizenship$ => list:nationality
\bcountry( name)?$|\bnation$ => place:country
\b(city|town|municipality|village|locality|suburb)( name)?$ => place:city
\b(place of birth|birth place|birthplace)$ => place:city
\b(zip|zip code|zipcode|postcode|postal code|postal|post code|plz)$ => place:postcode
\b(house|building|street) number$ => form:house_number
\b(street|address line|street address|street name|postal address|mailing address|address)( line)?( \d)?$ => faker:street_address
\b(billing|shipping|home|delivery|pickup|dropoff|work|office|customer|store|property) address$ => faker:street_address
\b(state|province|prefecture|canton)( (code|name))?$ => place:state => address
\bus state$|\bstate (code|province)$ => place:state
\b(cloud|aws|availability|deployment|data ?center) (region|zone)$ => list:cloud region
^(region|zone)$ => list:cloud region => cloud
\b(region|county|district|territory|subdivision)( name)?$ => place:region
\b(caller id|calling number|called number|caller number|callee number|dialed number|phone number|mobile number|cell number)$ => form:phone
\bmsisdn$ => form:msisdn
\b(phone|mobile|cell phone|cellphone|fax|landline|whatsapp|hotline)( (number|no))?$|\bcontact number$ => form:phone
\b(caller|callee|calling party|called party)$ => form:phone
\b(first|given|fore|christian) name$|^(firstname|forename)$ => faker:first_name
\b(last|family|sur) name$|\b(surname|lastname)$ => faker:last_name
\bmaiden name$ => faker:last_name
\bmiddle name$ => faker:first_name
\b(middle )?initials?$ => list:initial
\bfull name$|\b(name on card|card ?holder|holder|signatory|next of kin)( name)?$ => faker:name
\b(user|login|screen|account login|logon|nick|twitter|github) ?(name|handle)$|^(username|login|nickname|handle|nick|logon|screenname)$ => faker:user_name
\w+(ed|en|t) by$|\b(assigned|reported|delegated|escalated) to$ => faker:user_name
^(user|assignee|committer|reviewer|uploader|member)$ => faker:user_name
\b(physician|doctor|surgeon|nurse|teacher|instructor|professor|tutor|driver|pilot|captain|coach|manager|supervisor|employee|applicant|author|editor|beneficiary|payee|payer|debtor|creditor|sender|recipient|contact|contact person|witness|guest|landlord|salesperson|sales rep|representative|technician|agent|consultant|attendee|participant|winner|practitioner|clinician|prescriber|requester|performer|examiner|inspector|auditor|adjuster|underwriter|signer|lawyer|attorney|dispatcher|\w{3,}(ologist|iatrist|grapher)|therapist|dentist|pharmacist|specialist|trainer|referee|judge|scorer|speaker|presenter|moderator|mentor|chairperson|spouse|guardian|director|composer|engineer|cashier|salesman|accountant|approver|requestor|planner|crew member|collector|handler|invigilator|coordinator|administrator|narrator|translator|investigator|curator|educator)$ => faker:name
\bdisplay name$ => faker:name
\baccount name$ => faker:name
\b(card) (type|brand|network|scheme)$ => list:card brand
\b(company|employer|vendor|supplier|brand|merchant|manufacturer|maker|publisher|organization|organisation|retailer|insurer|firm|business|corporation|distributor|wholesaler|issuer|advertiser|agency|operator|operating company|provider|isp|utility|studio|sponsor|tenant|payer organization|legal) ?(name)?$ => faker:company
\b(carrier|courier|shipper)( name)?$ => list:carrier
\bairline( name)?$|\bairline code$|\bcarrier code$ => list:airline
\bbank( name)?$ => list:bank
\bbrand( name)?$ => list:brand
\b(car |vehicle )?make$ => list:make
\b(car |vehicle )model$ => list:model
^model$ => list:model => cars
^model( name)?$ => list:table => models of data
\bmodel( (name|number|no))?$ => list:device model
\b(job|role|position|work) (title|name)$|^(job|occupation|profession|position|designation)$|\b(occupation|profession|job title)$ => faker:job => persons
\b(occupation|profession|job title)$ => faker:job
\bdepartment( name)?$|\bdivision$|\bbusiness unit$ => list:department
\b(gender|sex)$ => list:gender
\b(marital|civil) status$ => list:marital
\b(ssn|social security( number)?)$ => form:ssn
\b(tax|vat|ein|tin|fiscal)( (id|number|code))?$ => form:tax
\bpassport( number)?$ => form:passport
\b(driver|drivers|driving) licen[cs]e( number)?$ => form:passport
\b(licen[cs]e|number|registration) plate( number)?$|\bplate( number)?$|^plate$ => form:plate
\b(vehicle|car|truck|licen[cs]e) reg(istration)?( (number|mark))?$|\bregistration mark$ => form:plate
\b(gln|mpan|mprn|siret|abn|cnpj)( (code|number))?$ => form:digits13
\b(sscc|serial shipping container code)( (code|number))?$ => form:digits18
\b(duns|abi|cpf|siren|nhs|naics|medicare|routing|aba|sort)( (code|number))?$ => form:digits9
\bscac( code)?$ => form:letters4
\b(fare|rate|price) (basis|family)$ => form:approval
\bvin$|\bvehicle identification number$ => form:vin
\biban\b => checked:iban
\b(bic|swift)( code)?$ => form:bic
\bisin( code)?$ => checked:isin
\bcusip$ => form:cusip
\b(ticker|symbol|stock symbol|ticker symbol)$ => list:ticker
\binstrument$ => list:ticker => trading
\b(exchange|market|venue|mic|trading venue)( code)?$ => list:exchange => trading
\b(card number masked|masked( card)?( (number|pan))?|card mask|masked)$|\bpan masked$ => form:masked_card
\b(card|pan) (last ?(4|four)|last digits)$|\blast ?4$|\blast (four|4)\b => form:last_digits
\b(bin|iin)( (number|code))?$ => form:digits6 => card expiry
\bstan$ => form:digits6
\b(card number|credit card( number)?|pan|cc number|card no)$ => checked:card_number
\b(cvv2?|cvc2?|csc|security code)$ => form:cvv
\b(card|expiration|expiry|exp)( (date|month year))?$ => form:card_expiry => card expiry
\bmcc( code)?$|\bmerchant category code$ => list:mcc
\b(upc|upca)( code)?$ => checked:upc
\b(ean|ean13|gtin|barcode|gtin13)( code)?$ => checked:ean
\bisbn(13)?$ => checked:isbn
\bisrc$ => form:isrc
\b(sku|article number|item number|part number|mpn|product code|stock code)$ => form:sku
\b(hs|tariff|customs|commodity)( tariff)? (code|number)$ => form:hs
\binco ?terms?$ => list:incoterm
\bcontainer (number|no)$ => checked:container
\bimei$ => checked:imei
\bimsi$ => form:imsi
\biccid$ => form:iccid
\b(icd ?10|icd10|icd)( code)?$|\bdiagnosis code$ => list:icd10
\bloinc( code)?$ => list:loinc
\bndc( code)?$ => form:ndc
\bnpi$ => form:npi
\bfips( code)?$ => form:fips
\bcve( id)?$ => form:cve
\bblood (type|group)$ => list:blood type
\bflight (number|no|code)$|^flight$ => form:flight
\biata( code)?$|\bairport( code)?$|\b(origin|destination|departure|arrival) airport( code)?$ => list:iata
\bicao( code)?$ => list:icao
^(origin|destination|departure|arrival|from|to)( (code|airport|station))?$ => list:iata => travel
^(origin|destination)$ => place:city
\b(departing|arriving) id$ => list:iata
\b(pnr|record locator|booking reference|booking code|confirmation (code|number)|reservation code)$ => form:pnr
\bseat( (number|no))?$ => form:seat
\bgate( (number|no))?$ => form:gate
\b(academic|school) year$ => form:academic_year
\b(letter )?grade$ => list:letter grade
\bresolution$ => list:resolution
\bcodec$ => list:codec
\bprotocol$|\btransport$ => list:protocol
\b(log|logging) ?level$|^(loglevel|level|severity text|log severity)$ => list:log level
^(level|severity)$ => list:log level => logs
\b(risk|credit|threat|hazard|safety|priority|impact) (rating|class|category|band|grade)$ => list:severity
\b(severity|threat level|risk level|alert level|impact|criticality)$ => list:severity
\bpriority$|\burgency$ => list:priority
\b(colou?r)( name)?$ => list:colour
\b(hex colou?r|colou?r (hex|code))$ => form:hex_colour
\b(drink|coffee|cup|pizza|portion|parcel|package) size$ => list:drink size
\bsize$ => list:size
\bunits?( of measure| symbol| code)?$|\buom$|\bmeasurement unit$ => list:unit
\bunit name$ => list:unit
\bpackage name$|\bbundle id$|\bapp package$ => list:package
\bmetric( name)?$ => list:metric
\b(database|db)( name)?$ => list:database
^schema( name)?$|\b(database|db|table) schema$ => list:schema
\b(table|collection|relation)( name)?$ => list:table
\b(column|field|attribute) name$ => list:column
^row id$ => form:approval
\btopic( name)?$ => list:topic
\bconsumer group( id)?$ => list:consumer group
\bnamespace$ => list:namespace
\b(ddl|statement)$ => form:ddl
^query$|\bsql( (query|statement|text))?$ => form:sql
^query$|\bsearch (query|term|text|phrase)$|\bkeywords?$ => list:product
^op$|\bcdc op(eration)?$ => list:cdc op
^op(eration)?$ => list:cdc op => cdc
^snapshot$ => list:cdc snapshot
^connector( (type|name))?$ => list:connector
^type$|\b(event|message|ce) type$ => list:dotted type => cloud events
\b(event|message|interaction) (type|name|kind)$|^event$ => list:event type
\b(entity|aggregate|object|resource) type$ => list:entity type
\bpod( name)?$ => form:pod
\bcontainer( name)?$ => form:container_name
\bcluster( (name|id))?$ => list:cluster
\b(environment|env|stage name)$ => list:environment
\b(coordinates?|coords|lat ?long?|geo ?point|latitude longitude|position) ?(pair)?$ => form:coordinates
\b(json|data|payload|attributes|metadata|properties|params|parameters|context|extra|headers|config|settings)( (json|text))?$ => form:json
\b(service|application|app|job|task|workflow|pipeline|process|program|component|module|logger|function|connector|project|repo|repository|rule|policy|dag|queue|bucket|plugin|consumer|producer|span|operation|instance|index) ?name$ => list:service
^(service|microservice|application|app|component|logger|module|daemon|program|peer service)$|\bapp id$ => list:service
^(repo|repository|project)$ => list:repository
^job$ => list:job
\brule$ => list:rule
\b(payment|pay) (method|type|mode|instrument)$|^tender$ => list:payment method
\bpayment status$ => list:payment status
\b(card) (type|brand|network|scheme)$|\bscheme$ => list:card brand
\b(account) type$ => list:account type
\b(transaction|txn) type$ => list:transaction type
\b(order|trade|exec|execution) status$|^status$ => list:trade status => markets
\bstatus$|\bstate$ => list:order status => orders
\b(flight) status$ => list:flight status
\b(shipment|delivery|shipping|parcel|tracking|fulfil?lment) (status|state)$ => list:shipment status
^(status|state)$ => list:shipment status => shipments
\b(job|task|run|build|pipeline|workflow|dag|process) (status|state)$ => list:job status
^(status|state|run state)$ => list:job status => jobs
\b(ticket|issue|case|incident|complaint) (status|state)$ => list:ticket status
\b(device|machine|sensor|operational|operating|charger) (status|state|mode)$ => list:device status
^(status|state)$ => list:device status => devices
\b(health) (status|state)$ => list:health status
\b(connection|link) (status|state)$ => list:connection state
\b(status|state)$ => list:status
\b(result|outcome|success|disposition)$ => list:result
\bside$ => list:side
\border type$ => list:order type
\b(tick|trend|price) direction$|\btrend$ => list:direction
\bdirection$ => list:traffic direction
\b(medium)$ => list:medium
\b(utm|traffic|marketing|referral|lead|campaign) source$ => list:source
^source( (name|type))?$ => list:source => web
\bcampaign( name)?$ => list:campaign
\b(channel|sales channel|origin channel)( name)?$ => list:channel
\bplatform$ => list:platform
\b(os|operating system)( (name|family|type))?$ => list:os
\bbrowser( (name|family|type))?$ => list:browser
\bdevice (type|class|category|kind|family)$|^device$ => list:device type
\b(tier|loyalty level|membership( level| type)?|loyalty status)$ => list:tier
\b(plan|subscription( type| plan)?|package type)( name)?$ => list:plan
\b(customer |market )?segment$ => list:segment
\brole( name)?$|\buser type$ => list:role
\b(access|privacy|visibility) ?(level)?$ => list:access level
^action$ => list:security action => security
\baction( (type|name))?$|\bactivity name$ => list:action
\bactivity( (type|name))?$|\b(workout|exercise|sport)( type)?$ => list:activity
\bgenre$ => list:genre
\b(content|age|parental|movie|film|maturity) rating$ => list:content rating
\b(game|play) mode$ => list:game mode
\broom type$ => list:room type
\b(trip|journey|itinerary) type$ => list:trip type
\b(cabin|fare|travel|booking|service) ?class$ => list:cabin
\bvehicle (type|class|category)$ => list:vehicle type
\bfuel( type)?$ => list:fuel
\b(rat|radio|radio access)( type| technology)?$ => list:rat
\b(network|connection|conn) type$ => list:network type
\brecord type$ => list:record type => telecom
\benergy (class|label|rating)$|\befficiency class$|\bepc( rating)?$ => list:energy class
\bparty( affiliation)?$ => list:party
\b(merchant|spend|expense|spending) category$ => list:spend category
\bcategory( (name|type))?$ => list:news category => news
\bcategory( (name|type))?$ => list:app category => apps
\b(category|categories|department|product (type|group|line)|family|genre)( (name|type))?$ => list:category
\bitem type$ => list:item type
\bmeal( (type|name))?$ => list:meal
\b(weather|condition|conditions|sky)( (type|code|main))?$ => list:weather
\b(education|degree)( level)?$ => list:education
\b(employment|contract|employee) type$|\bemployment status$ => list:employment
\b(visit|encounter|admission) (type|class)$ => list:visit type
\b(property|building|dwelling|house) type$ => list:property type
\bindustry$|\bsector$ => list:industry
\bsentiment$ => list:sentiment
\bstage$ => list:stage
\bphase$ => list:phase
\bshift$ => list:shift
\b(semester|term|trimester)$ => list:semester
\b(frequency|recurrence|cadence|schedule|interval|period)$ => list:frequency
\b(day of week|day name|weekday)$ => list:day name
\bmonth( name)?$ => list:month name
\b(algorithm|cipher|alg)$ => list:algorithm
\bfacility$ => list:facility
\b(hotel|property|accommodation|resort)( name)?$ => list:hotel
\b(venue|location|place|station|stop|store|shop|branch|site|airport|restaurant|park|museum|facility|building|station|point of interest|poi|stadium|theat(re|er)|hospital|clinic|landmark|depot|port|terminal|warehouse) name$|^(location|place|venue)$ => list:place
\b(school|university|college|institution)( name)?$ => list:school
\b(artist|band|composer|album artist)( name)?$ => list:artist
\b(track|song|episode|movie|film|show|series|album)( (name|title))?$ => list:track
\bteam( name)?$ => list:team
\bmap( name)?$ => list:map
\bcourse( (name|title))?$|\bsubject$ => list:course => education
\b(drug|medication|medicine|prescription)( name)?$ => list:drug
\bdiagnosis( (name|text|description))?$ => list:diagnosis
\bspecies$ => list:species
\b(product|item|article|goods|dish|menu item|ingredient|part|material|sku)( (name|title|description))?$ => list:product
\bdelay reason$ => list:delay reason
\b(reason|cause)( code)?$ => list:reason
\bdefinition$ => list:definition
\b(stack ?trace|trace ?back|backtrace)$|\bexception$ => form:stack_trace
\b(description|comments?|notes?|text|message|body|remarks?|review|feedback|bio|about|abstract|summary|explanation|instructions|content|caption|error|warning|detail|details|statement|narrative|answer|question|observation|quote|transcript|complaint|log line|line|info|information|memo|purpose|remittance|feedback text|annotation)$ => faker:sentence
\b(quality|grading)$ => list:quality
\b(title|headline|subject|heading)$ => list:title
\b(label|nick|alias|short text)$ => list:label
\btags?$ => list:tag
\bgroup( name)?$ => list:group
\b(promo|promotion|discount|coupon|voucher|referral|gift|invite|invitation) ?(code)?$ => form:promo
\b(class|kind|type|mode|sub ?type|variant|classification)$ => list:type
"""
_READINGS = _readings(_TABLE)
# Who does something is a person, unless it is one of these.
_DOER = re.compile(
    r"\b(?!(?:[a-z]+(?:tainer|inter|outer|nsor|itor|puter|meter|older|eader|ayer|luster|umber|order|acter|apter|etter|eater|enter|aper|ilter|ogger|uler|ector|ator|actor|olor|loor|door|rror|otor|ower|ater|iver|rver|fer|ver|ker)|user|folder|tier)\b)[a-z]{3,}(?:er|or|ist|ian|ee) name$"
)
_NOTES = (
    (r"iso[ -]?4217", "list:currency"),
    (r"iso[ -]?3166.*alpha[ -]?3", "place:alpha3"),
    (r"iso[ -]?3166", "place:alpha2"),
    (r"\b(e-?mail address)\b", "faker:email"),
    (r"\bipv6\b", "form:ipv6"),
    (r"\bip(v4)? address", "form:ipv4"),
    (r"\bmac address", "form:mac"),
    (r"\bsha-?256\b", "form:hex64"),
    (r"\bmd5\b", "form:md5"),
    (r"\b(bcp[ -]?47|ietf language tag)\b", "list:locale"),
    (r"\biso[ -]?639", "list:language"),
    (r"\b(iana|olson|tz database) (time ?zone|name)", "list:timezone"),
    (r"\b(mime|media) type", "list:mime"),
    (r"\bsemver|semantic version", "form:version"),
    (r"\bjson\b", "form:json"),
)


def text_rule(field: Field) -> dict[str, Any] | None:
    """Return the rule of a text whose name or notes tell what it holds; ``None`` for any other."""
    if field.is_named(r"^(.* )?name$") and (named := _of_name(field)):
        return rule_of(named, field)
    if found := next((one for one in _READINGS if _fits(one, field)), None):
        return rule_of(found.values, field)
    if _DOER.search(field.says):
        return rule_of("faker:name", field)
    told = next((values for pattern, values in _NOTES if re.search(pattern, field.notes)), None)
    if told is None and re.search(r"\b[b-df-hj-np-tv-xz]{3,5}$", field.says):
        return rule_of("form:short_code", field)  # letters without a vowel are a short form of some code
    if told is None and (other := field.plainer() or field.of_one()) is not None:
        return text_rule(other)
    return rule_of(told, field) if told else None


def rule_of(values: str, field: Field) -> dict[str, Any]:
    """Return the rule of what a line of the table calls its values."""
    kind, _, name = values.partition(":")
    if kind == "form" and name in MET_OFTEN:
        return {"pool": f"({name.replace('_', ' ')} of {field.says}).value"}
    if kind == "form":
        return {"pattern": FORMS[name]}
    if kind == "list":
        return choice_of(name)
    if kind == "checked":
        return {"choice": _checked()[name]}
    if kind == "faker":
        return {"faker": name}
    if name == "state":
        pool, column = of_place(field, "region")
        name = "region_code" if pool.endswith("US)") and not field.is_named(r"\bname$") else "region"
    pool, column = of_place(field, name)
    return {"pool": f"{_named(pool, whose(field))}.{column}"}


@cache
def _checked() -> dict[str, list[Any]]:
    return checked()


def _named(pool: str, owner: str) -> str:
    return f"{pool} {owner}".strip()


def _fits(one: _Reading, field: Field) -> bool:
    return field.is_named(one.named) and (not one.near or field.is_near(one.near))


def _of_name(field: Field) -> str | None:
    """Return what a ``name`` is of: the words before it decide, then the record, then what is beside it."""
    before = field.says.removesuffix("name").strip()
    if before in (
        "first",
        "given",
        "fore",
        "last",
        "family",
        "sur",
        "middle",
        "maiden",
        "user",
        "login",
        "full",
        "display",
        "nick",
        "screen",
        "host",
        "file",
        "account",
        "code",
        "common",
    ):
        return None
    if re.search(r"\b(first|given|fore|last|family|sur|middle|maiden|user|login|screen|nick|host|file)$", before):
        return None
    about = before or field.record
    if before and not re.search(PERSON, before):
        return None
    if re.search(r"\bagents?$", before) and not re.search(_SOFTWARE, field.record):
        return "faker:name"
    if re.search(_SOFTWARE, about) and not re.search(r"\b(customer|user|employee|driver|patient|person)s?$", about):
        if re.search(r"\brepos?|repository\b", about):
            return "list:repository"
        return "list:job" if re.search(r"\b(jobs?|tasks?|workflow|dag)\b", about) else "list:service"
    if re.search(PERSON, about):
        return "faker:user_name" if re.search(r"\bplayers?\b", about) else "faker:name"
    kinds = (
        (_GOODS, "list:product"),
        (r"\b(compan(y|ies)|vendors?|suppliers?|merchants?|organizations?|employers?|brands?|manufacturers?|business|partner|account|publisher|advertiser)\b", "faker:company"),
        (r"\b(city|cities|town)\b", "place:city"),
        (r"\b(countries|country)\b", "place:country"),
        (r"\b(region|state|province)s?\b", "place:region"),
        (r"\b(hotels?|propert(y|ies))\b", "list:hotel"),
        (r"\b(stores?|shops?|branch|sites?|stations?|venues?|restaurants?|locations?|places?|stops?|airports?|buildings?|warehouses?|facility|poi)\b", "list:place"),
        (r"\b(department)s?\b", "list:department"),
        (r"\b(metric|metrics|measurement|counter|gauge)\b", "list:metric"),
        (r"\b(artists?|bands?)\b", "list:artist"),
        (r"\b(tracks?|songs?|movies?|films?|shows?|series|albums?|episodes?|playback)\b", "list:track"),
        (r"\b(games?|maps?)\b", "list:map"),
        (r"\b(teams?|clubs?)\b", "list:team"),
        (r"\b(courses?|lessons?|class)\b", "list:course"),
        (r"\b(campaigns?|promotions?)\b", "list:campaign"),
        (r"\b(drugs?|medications?)\b", "list:drug"),
        (r"\b(schools?|universit(y|ies))\b", "list:school"),
        (r"\b(banks?)\b", "list:bank"),
        (r"\b(tables?)\b", "list:table"),
        (r"\b(columns?|fields?|attributes?)\b", "list:column"),
        (r"\b(topics?)\b", "list:topic"),
        (r"\b(events?)\b", "list:event type"),
        (r"\b(devices?|sensors?|machines?|vehicles?|models?)\b", "list:device model"),
        (r"\b(groups?|tags?|labels?|categor(y|ies))\b", "list:label"),
    )  # fmt: skip
    if found := next((values for pattern, values in kinds if re.search(pattern, about)), None):
        return found
    if not before:
        return (
            "faker:name"
            if field.is_near(_PERSONAL) or re.search(r"^(names?|data|records?|root)$", about)
            else "list:label"
        )
    return None
