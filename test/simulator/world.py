"""What the simulated providers know: credentials, templates, devices.

The defaults make a demonstration work at once; a test changes them through
POST /_control/config.  An unknown name is refused, so that a misspelt
setting cannot make a test pass by doing nothing.
"""

import copy

SCENARIO_PARAMETERS = {
    "permit_ready": ["partner_name", "permit_type", "permit_number",
                     "issue_date", "download_link"],
    "document_pending": ["jumlah", "jenis_izin", "nama_pemohon",
                         "pendaftaran_id", "link_dashboard"],
    "approval_required": ["nama_pejabat", "jenis_izin", "nama_pemohon",
                          "permit_number", "approval_link"],
    "status_update": ["pendaftaran_id", "status_lama", "status_baru",
                      "timestamp", "detail_link"],
    "reminder": ["jumlah", "jenis_izin", "nama_pemohon", "waktu_pending",
                 "link_dashboard"],
    "permit_expiry_warning": ["partner_name", "permit_type", "permit_number",
                              "expiry_date", "remaining_days",
                              "renewal_link", "contact_dpmptsp"],
    "permit_renewal_approved": ["partner_name", "permit_type",
                                "permit_number_new", "start_date",
                                "expiry_date", "validity_period",
                                "download_link"],
}

TEMPLATE_DEFAULTS = {
    "language": "id",               # or a list of languages
    "parameter_format": "POSITIONAL",
    "parameters": None,             # names in order; required where NAMED
    "count": None,                  # of body parameters; else len(parameters)
    "header": None,                 # or "text", "document", "image", "video"
    "url_buttons": 0,               # URL buttons with a variable suffix
    "category": "UTILITY",
    "status": "APPROVED",
    "message_status": "accepted",   # what a send answers
    "body": None,                   # its text; else one of the parameters
    "quality": "UNKNOWN",
    "correct_category": None,       # what it is to become
    "rejected_reason": "NONE",
}

# Of each provider: what it tells by webhooks, see webhooks.py.
WEBHOOK_DEFAULTS = {
    "webhook_url": "",              # "": kept for the test to play
    "webhook_secret": "",           # Meta's app secret; else in the address
    "webhook_statuses": [],         # told of each accepted message, in order
    "webhook_error": 131026,        # code of "failed"
    "webhook_delay_ms": 0,
    "webhook_shuffle": False,       # each after a random part of the delay
    "webhook_copies": 1,            # how often each is told, though taken
    "webhook_repeats": 15,          # how often again, until it is taken
    "webhook_repeat_ms": 200,       # after so long; Meta's doubles
}

DEFAULTS = {
    "meta": {
        "tokens": ["EAADEMOMETATOKEN"],
        "expired_tokens": [],
        "versions": ["v21.0", "v22.0", "v23.0", "v24.0", "v25.0", "v26.0", "v27.0"],
        "phone_number_id": "106540352242922",
        "waba_id": "102290129340398",
        "display_phone_number": "+62 21 5550000",
        "verified_name": "DPMPTSP Kabupaten Contoh",
        "quality_rating": "GREEN",
        "can_send_message": "AVAILABLE",
        "templates": {},            # filled below
        "template_page": 0,         # > 0: most templates in one answer
        "new_template_status": "PENDING",
        "new_template_category": "",    # else the one that is asked for
        "open_windows": [],         # numbers that wrote within 24 hours,
                                    # or "any"; free text to others: 131047
        "not_on_whatsapp": [],      # numbers refused with 131026
        "opted_out": [],            # numbers refused with 131050
        "bad_text_code": 132018,    # newline, tab, > 4 spaces; some see 100
        "bare_numbers": "full",     # "to" without "+"; "local": the country
                                    # code of our own number comes in front
        "pair_gap_ms": 0,           # > 0: faster to one number is 131056
        "per_second": 0,            # > 0: more sends a second is 130429
        "usage": None,              # x-business-use-case-usage, as an object
    },
    "fonnte": {
        "tokens": ["FONNTEDEMOTOKEN"],
        "device": "6281100000001",
        "name": "DPMPTSP",
        "connected": True,
        "quota": 1000,
        "package": "Reguler",
        "expired": "18 November 2029",
        "messages": 16785,
        "invalid_targets": [],      # numbers refused with "target invalid"
        "not_registered": [],       # numbers that /validate does not know
        "accept_json": False,       # field reports of /send differ
        "auth_http_status": 200,    # one client's test saw 401
    },
    "watzap": {
        "api_keys": ["WATZAPDEMOKEY"],
        "number_keys": ["WATZAPDEMONUMBER"],
        "wa_number": "6281100000002",
        "connected": True,
        "active_until": "2029-11-18 00:00:00",
        "limit_message_per_day": 0,
        "not_on_whatsapp": [],
        "refusal_http_status": 200,
    },
}


for kind in DEFAULTS:
    DEFAULTS[kind].update(WEBHOOK_DEFAULTS,
                          webhook_secret="%sDEMOWEBHOOK" % kind.upper())


class ConfigError(Exception):
    """The control request is not understood; nothing was changed."""


def template(value):
    """A template as configured -> the same with every key, checked."""
    if not isinstance(value, dict):
        raise ConfigError("a template must be an object")
    unknown = set(value) - set(TEMPLATE_DEFAULTS)
    if unknown:
        raise ConfigError("unknown template setting: %s" % sorted(unknown)[0])
    full = dict(TEMPLATE_DEFAULTS, **value)
    if full["parameter_format"] not in ("POSITIONAL", "NAMED"):
        raise ConfigError("parameter_format must be POSITIONAL or NAMED")
    if full["parameter_format"] == "NAMED" and full["parameters"] is None:
        raise ConfigError("a NAMED template needs parameters")
    if full["count"] is None:
        full["count"] = len(full["parameters"] or [])
    if full["parameters"] is not None \
            and len(full["parameters"]) != full["count"]:
        raise ConfigError("count differs from the number of parameters")
    if isinstance(full["language"], str):
        full["language"] = [full["language"]]
    if full["body"] is None:
        names = full["parameters"] if full["parameter_format"] == "NAMED" \
            else range(1, full["count"] + 1)
        full["body"] = " ".join(["Yth."] + ["isi {{%s}}" % n for n in names]
                                + ["terima kasih."])
    return full


def default_templates():
    """The scenarios' templates: positional, and "<key>_named" with names."""
    made = {}
    for key, names in SCENARIO_PARAMETERS.items():
        made[key] = template({"count": len(names)})
        made[key + "_named"] = template({"parameter_format": "NAMED",
                                         "parameters": names})
    made["izin_selesai_diproses"] = template({"count": 3})
    made["izin_selesai_bernama"] = template({
        "parameter_format": "NAMED",
        "parameters": ["partner_name", "permit_type"]})
    made["hello_world"] = template({"language": ["en_US", "id"]})
    return made


class World:
    """The present configuration of the three providers."""

    def __init__(self):
        self.reset()

    def reset(self):
        self.settings = copy.deepcopy(DEFAULTS)
        self.settings["meta"]["templates"] = default_templates()

    def __getitem__(self, provider):
        return self.settings[provider]

    def change(self, wanted):
        """Merge {provider: {setting: value}}; all of it or nothing.

        Templates merge by name: null removes one, anything else replaces it.
        Every other setting is replaced.
        """
        made = copy.deepcopy(self.settings)
        if not isinstance(wanted, dict):
            raise ConfigError("the configuration must be an object")
        for provider, settings in wanted.items():
            if provider not in made:
                raise ConfigError("unknown provider: %s" % provider)
            for name, value in settings.items():
                if name not in made[provider]:
                    raise ConfigError("unknown setting of %s: %s"
                                      % (provider, name))
                if name != "templates":
                    check_type(provider, name, value)
                    made[provider][name] = value
                    continue
                for key, wish in value.items():
                    if wish is None:
                        made[provider][name].pop(key, None)
                    else:
                        made[provider][name][key] = template(wish)
        self.settings = made


def check_type(provider, name, value):
    default = DEFAULTS[provider][name]
    if name == "open_windows" and value == "any":
        return
    if default is None:
        if value is not None and not isinstance(value, dict):
            raise ConfigError("%s.%s must be an object" % (provider, name))
    elif type(value) is not type(default):
        raise ConfigError("%s.%s must be of type %s"
                          % (provider, name, type(default).__name__))


def digits(text):
    """Only the digits of a number as somebody wrote it."""
    return "".join(c for c in str(text) if c in "0123456789")


class Answer:
    """What a provider makes of a request, before any fault touches it.

    endpoint is "send" for whatever would put a message on its way, "test"
    for status calls, "other" for the rest.
    """

    def __init__(self, endpoint, reply, accepted=False, to=None, message=None,
                 template=None, params=None, message_id=None, callback=None):
        self.endpoint = endpoint
        self.reply = reply
        self.accepted = accepted
        self.to = to
        self.message = message
        self.template = template
        self.params = params
        self.message_id = message_id
        self.callback = callback
