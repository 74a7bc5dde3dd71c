#!/usr/bin/env python3
"""Self test of the simulator: does it refuse and break as it promises?

    python3 selftest.py

Starts one simulator of its own and talks to it with http.client and bare
sockets.  Waits are for events (an answer, a closed connection, a counted
request), never for time.
"""

import hashlib
import hmac
import http.client
import http.server
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.parse

HERE = os.path.dirname(os.path.abspath(__file__))
META_TOKEN = "EAADEMOMETATOKEN"
PHONE_ID = "106540352242922"
NUMBER = "6281234567890"


def start(folder, *more):
    process = subprocess.Popen(
        [sys.executable, os.path.join(HERE, "simulator.py"), "--port", "0",
         "--state-dir", folder, *more],
        stdout=subprocess.PIPE, text=True)
    words = process.stdout.readline().split()
    if not words or words[0] != "ready":
        raise RuntimeError("the simulator did not start")
    return process, {k: int(v) for k, v in
                     (word.split("=") for word in words[1:])}


class Case(unittest.TestCase):
    """One simulator for all tests; each test starts from the defaults."""

    @classmethod
    def setUpClass(cls):
        if not hasattr(Case, "process"):
            Case.folder = tempfile.mkdtemp(prefix="simulator")
            Case.process, Case.ports = start(
                Case.folder, "--tls-port", "0", "--bad-tls-port", "0",
                "--bad-ca-port", "0", "--port-file",
                os.path.join(Case.folder, "ports"))

    def setUp(self):
        self.control("reset", {})
        self.first_seq = len(self.lines())
        self.wire = self.connect()

    def tearDown(self):
        self.wire.close()

    # --- tools -----------------------------------------------------------

    def connect(self):
        return http.client.HTTPConnection("127.0.0.1", self.ports["http"],
                                          timeout=20)

    def control(self, name, value=None):
        wire = self.connect()
        if value is None:
            wire.request("GET", "/_control/" + name)
        else:
            wire.request("POST", "/_control/" + name, json.dumps(value))
        answer = wire.getresponse()
        made = json.loads(answer.read())
        wire.close()
        self.assertEqual(answer.status, 200, made)
        return made

    def fault(self, kind, **more):
        return self.control("fault", dict(more, kind=kind))["id"]

    def lines(self):
        with open(os.path.join(self.folder, "journal.jsonl"),
                  encoding="utf-8") as file:
            return [json.loads(line) for line in file]

    def news(self):
        return self.lines()[self.first_seq:]

    def call(self, path, body=None, headers=None, wire=None):
        """Returns (status, value or bytes); leaves headers in .headers."""
        wire = wire or self.wire
        wire.request("GET" if body is None else "POST", path, body,
                     headers or {})
        answer = wire.getresponse()
        self.headers = answer.headers
        text = answer.read()
        try:
            return answer.status, json.loads(text)
        except ValueError:
            return answer.status, text

    def raw(self, data):
        """Bytes out, all bytes until the other side closes back."""
        with socket.create_connection(("127.0.0.1", self.ports["http"]),
                                      20) as sock:
            sock.sendall(data)
            made = b""
            while True:
                part = sock.recv(65536)
                if not part:
                    return made
                made += part

    def meta(self, message, token=META_TOKEN, node=PHONE_ID, wire=None):
        return self.call("/v23.0/%s/messages" % node, json.dumps(message),
                         {"Authorization": "Bearer " + token,
                          "Content-Type": "application/json"}, wire)

    def fonnte(self, token="FONNTEDEMOTOKEN", wire=None, **fields):
        fields = dict({"target": NUMBER, "message": "Yth. Budi"}, **fields)
        return self.call("/send", urllib.parse.urlencode(fields),
                         {"Authorization": token, "Content-Type":
                          "application/x-www-form-urlencoded"}, wire)

    def watzap(self, path="/v1/send_message", **fields):
        fields = dict({"api_key": "WATZAPDEMOKEY", "number_key":
                       "WATZAPDEMONUMBER", "phone_no": NUMBER,
                       "message": "Yth. Budi"}, **fields)
        return self.call(path, json.dumps(fields),
                         {"Content-Type": "application/json"})


def ended(sock):
    """Wait until the other side ends the connection.

    With FIN or, where it had not read everything yet, with RST; a time-out
    is an error.
    """
    try:
        return sock.recv(1) == b""
    except ConnectionResetError:
        return True


def template(name="permit_ready", values=("a", "b", "c", "d", "e"),
             names=None, **more):
    parameters = [{"type": "text", "text": v} for v in values]
    for parameter, label in zip(parameters, names or []):
        parameter["parameter_name"] = label
    return dict({"messaging_product": "whatsapp", "to": NUMBER,
                 "type": "template", "template": {
                     "name": name, "language": {"code": "id"},
                     "components": [{"type": "body",
                                     "parameters": parameters}]}}, **more)


class MetaTest(Case):
    def refused(self, answer, code, status=None):
        self.assertEqual(answer[1]["error"]["code"], code, answer)
        self.assertRegex(answer[1]["error"]["fbtrace_id"], "^A")
        if status:
            self.assertEqual(answer[0], status)

    def test_template_is_accepted(self):
        status, made = self.meta(template(to="+62 812-3456-7890",
                                          biz_opaque_callback_data="swa:1"))
        self.assertEqual(status, 200)
        self.assertEqual(made["contacts"], [{"input": "+62 812-3456-7890",
                                             "wa_id": NUMBER}])
        self.assertRegex(made["messages"][0]["id"], r"^wamid\.HBgN")
        self.assertEqual(made["messages"][0]["message_status"], "accepted")
        self.assertEqual(self.headers["facebook-api-version"], "v23.0")
        line = self.news()[-1]
        self.assertEqual((line["provider"], line["endpoint"], line["to"],
                          line["template"], line["params"], line["accepted"]),
                         ("meta", "send", NUMBER, "permit_ready",
                          ["a", "b", "c", "d", "e"], True))

    def test_named_template(self):
        names = ["partner_name", "permit_type"]
        good = template("izin_selesai_bernama", ("a", "b"), names)
        self.assertEqual(self.meta(good)[0], 200)
        self.assertEqual(self.news()[-1]["params"],
                         [["partner_name", "a"], ["permit_type", "b"]])
        self.refused(self.meta(template("izin_selesai_bernama", ("a", "b"))),
                     132012)
        self.refused(self.meta(template("izin_selesai_bernama", ("a", "b"),
                                        ["partner_name", "typo"])), 132012)
        self.refused(self.meta(template("izin_selesai_diproses",
                                        ("a", "b", "c"), ["x", "y", "z"])),
                     132012)

    def test_parameters(self):
        self.refused(self.meta(template(values=("a", "b"))), 132000, 400)
        self.refused(self.meta(template(values=("a", "", "c", "d", "e"))),
                     131008, 400)
        for bad in ("a\nb", "a\tb", "a     b"):
            self.refused(self.meta(template(
                values=(bad, "b", "c", "d", "e"))), 132018, 400)
        self.assertEqual(self.meta(template(
            values=("a    b", "b", "c", "d", "e")))[0], 200)
        self.refused(self.meta(template(
            values=("a" * 32769, "b", "c", "d", "e"))), 132005)

    def test_template_states(self):
        self.refused(self.meta(template("missing")), 132001)
        other = template()
        other["template"]["language"]["code"] = "en_US"
        self.refused(self.meta(other), 132001)
        for state, code in (("PAUSED", 132015), ("DISABLED", 132016),
                            ("PENDING", 132001)):
            self.control("config", {"meta": {"templates": {
                "x": {"count": 5, "status": state}}}})
            self.refused(self.meta(template("x")), code)
        self.control("config", {"meta": {"templates": {
            "x": {"count": 5, "message_status":
                  "held_for_quality_assessment"}}}})
        self.assertEqual(
            self.meta(template("x"))[1]["messages"][0]["message_status"],
            "held_for_quality_assessment")

    def test_shape(self):
        self.refused(self.meta(template(typo=1)), 100)
        self.refused(self.meta(template(messaging_product="x")), 100)
        self.refused(self.meta(template(to="")), 100)
        self.refused(self.meta(template(to="12")), 131009)
        self.refused(self.meta(template(to="62215550000")), 131021)
        self.refused(self.meta(template(type="carrier_pigeon")), 131051)
        self.refused(self.call("/v23.0/%s/messages" % PHONE_ID, "{",
                               {"Authorization": "Bearer " + META_TOKEN,
                                "Content-Type": "application/json"}), 100)
        self.refused(self.call("/v23.0/%s/messages" % PHONE_ID,
                               json.dumps(template()),
                               {"Authorization": "Bearer " + META_TOKEN,
                                "Content-Type": "text/plain"}), 100)

    def test_credentials(self):
        self.refused(self.meta(template(), token="x"), 190, 401)
        self.refused(self.call("/v23.0/%s/messages" % PHONE_ID, "{}"),
                     104, 401)
        self.refused(self.meta(template(), node="1"), 803, 404)
        self.control("config", {"meta": {"expired_tokens": ["OLD"]}})
        answer = self.meta(template(), token="OLD")
        self.assertEqual(answer[1]["error"]["error_subcode"], 463)
        self.refused(self.call("/v99.0/%s/messages" % PHONE_ID, "{}"), 2500)

    def test_free_text_needs_a_window(self):
        text = {"messaging_product": "whatsapp", "to": NUMBER,
                "type": "text", "text": {"body": "Halo"}}
        self.refused(self.meta(text), 131047)
        self.control("config", {"meta": {"open_windows": [NUMBER]}})
        status, made = self.meta(text)
        self.assertEqual(status, 200)
        self.assertNotIn("message_status", made["messages"][0])
        self.assertEqual(self.news()[-1]["message"], "Halo")
        text["text"]["body"] = "a" * 4097
        self.refused(self.meta(text), 100)

    def test_recipients_and_rates(self):
        self.control("config", {"meta": {
            "not_on_whatsapp": ["6281200000001"],
            "opted_out": ["6281200000002"], "pair_gap_ms": 60000,
            "usage": {"1": []}}})
        self.refused(self.meta(template(to="6281200000001")), 131026)
        self.refused(self.meta(template(to="6281200000002")), 131050)
        self.assertEqual(self.meta(template(to="6281200000003"))[0], 200)
        self.assertIn("x-business-use-case-usage", self.headers)
        self.refused(self.meta(template(to="6281200000003")), 131056, 429)
        self.control("config", {"meta": {"per_second": 1,
                                         "pair_gap_ms": 0}})
        codes = [self.meta(template(to="628120000010%d" % n))[0]
                 for n in range(2)]
        self.assertIn(429, codes)

    def test_status_calls(self):
        bearer = {"Authorization": "Bearer " + META_TOKEN}
        status, made = self.call("/v23.0/%s?fields=verified_name,quality_"
                                 "rating" % PHONE_ID, headers=bearer)
        self.assertEqual((status, made["id"], made["quality_rating"]),
                         (200, PHONE_ID, "GREEN"))
        self.refused(self.call("/v23.0/%s?fields=nose" % PHONE_ID,
                               headers=bearer), 100)
        self.refused(self.call("/v23.0/%s" % PHONE_ID), 104)
        self.control("config", {"meta": {"can_send_message": "BLOCKED"}})
        made = self.call("/v23.0/%s?fields=health_status" % PHONE_ID,
                         headers=bearer)[1]
        self.assertEqual(made["health_status"]["entities"][0]["errors"][0]
                         ["error_code"], 141006)
        made = self.call("/v23.0/102290129340398/message_templates"
                         "?name=permit_ready&limit=1", headers=bearer)[1]
        self.assertEqual(made["data"][0]["status"], "APPROVED")
        made = self.call("/v23.0/debug_token?input_token=x",
                         headers=bearer)[1]
        self.assertFalse(made["data"]["is_valid"])
        self.assertEqual({e["endpoint"] for e in self.news()}, {"test"})


class FonnteTest(Case):
    def refused(self, answer, reason):
        self.assertEqual(answer[0], 200)
        self.assertIs(answer[1]["status"], False)
        self.assertEqual(answer[1]["reason"], reason)
        self.assertEqual(set(answer[1]), {"status", "reason", "requestid"})

    def test_send(self):
        status, made = self.fonnte(target="081234567890", countryCode="62",
                                   connectOnly="true", preview="false")
        self.assertEqual(status, 200)
        self.assertEqual(set(made), {"detail", "id", "process", "requestid",
                                     "status", "target"})
        self.assertEqual((made["target"], made["process"], made["status"]),
                         ([NUMBER], "pending", True))
        self.assertIsInstance(made["id"][0], str)
        again = self.fonnte()[1]
        self.assertNotEqual(made["id"], again["id"])
        self.assertEqual(self.news()[-1]["message"], "Yth. Budi")
        self.assertEqual(self.control("config")["fonnte"]["quota"], 998)

    def test_multipart(self):
        body = ('--X\r\nContent-Disposition: form-data; name="target"\r\n\r\n'
                + NUMBER + '\r\n--X\r\nContent-Disposition: form-data; '
                'name="message"\r\n\r\nHalo\r\n--X--\r\n')
        made = self.call("/send", body, {
            "Authorization": "FONNTEDEMOTOKEN",
            "Content-Type": 'multipart/form-data; boundary="X"'})[1]
        self.assertIs(made["status"], True)
        self.assertEqual(self.news()[-1]["message"], "Halo")

    def test_refusals(self):
        self.refused(self.fonnte(token="x"), "token invalid")
        self.refused(self.fonnte(token="Bearer FONNTEDEMOTOKEN"),
                     "token invalid")
        self.refused(self.fonnte(target=""), "invalid/empty body value")
        self.refused(self.fonnte(message=""), "invalid/empty body value")
        self.refused(self.fonnte(target="12"), "target invalid")
        self.refused(self.fonnte(template="1", var1="x"), "input invalid")
        self.refused(self.fonnte(connectOnly="yes"), "input invalid")
        self.refused(self.fonnte(url="ftp://x"), "url invalid")
        self.refused(self.call("/send", json.dumps({"target": NUMBER,
                                                    "message": "x"}),
                               {"Authorization": "FONNTEDEMOTOKEN",
                                "Content-Type": "application/json"}),
                     "invalid/empty body value")
        self.control("config", {"fonnte": {"quota": 0}})
        self.refused(self.fonnte(), "insufficient quota")
        self.control("config", {"fonnte": {"connected": False}})
        self.refused(self.fonnte(), "request invalid on disconnected device")
        self.assertFalse(any(e["accepted"] for e in self.news()))

    def test_variables_of_fonnte_itself(self):
        self.fonnte(target=NUMBER + "|Budi|SIUP", message="{name} {var1}")
        self.assertEqual(self.news()[-1]["message"], "Budi SIUP")

    def test_device(self):
        self.control("config", {"fonnte": {"connected": False, "quota": 7}})
        status, made = self.call("/device", "", {"Authorization":
                                                 "FONNTEDEMOTOKEN"})
        self.assertEqual((status, made["device_status"], made["quota"],
                          made["status"]), (200, "disconnect", "7", True))
        self.refused(self.call("/device", ""), "token invalid")
        self.assertEqual(self.news()[-1]["endpoint"], "test")


class WatzapTest(Case):
    def test_send(self):
        self.assertEqual(self.watzap(wait_until_send="1"), (200, {
            "status": "200", "message": "Successfully",
            "ack": "successfully"}))
        self.assertEqual(self.news()[-1]["to"], NUMBER)

    def test_refusals(self):
        for code, fields in (("1002", {"api_key": "x"}),
                             ("1003", {"number_key": "x"}),
                             ("1005", {"message": ""}),
                             ("1005", {"template_id": "t", "1": "x"}),
                             ("1005", {"phone_no": "0812 3456"}),
                             ("1005", {"message": 5})):
            status, made = self.watzap(**fields)
            self.assertEqual((status, made["status"]), (200, code), fields)
        self.control("config", {"watzap": {"connected": False}})
        self.assertEqual(self.watzap()[1]["status"], "1004")
        status, _ = self.watzap("/v1/message/sendTemplate")
        self.assertEqual(status, 404)
        self.assertFalse(any(e["accepted"] for e in self.news()))

    def test_checking_key(self):
        body = json.dumps({"api_key": "WATZAPDEMOKEY"})
        kind = {"Content-Type": "application/json"}
        status, made = self.call("/v1/checking_key", body, kind)
        self.assertIs(made["status"], True)
        self.assertEqual(made["data"]["licenses_key"][0]["key"],
                         "WATZAPDEMONUMBER")
        self.assertEqual(self.news()[-1]["endpoint"], "test")


class FaultTest(Case):
    def breaks(self, error, **more):
        with self.assertRaises(error):
            self.fonnte(**more)
        self.wire.close()

    def test_refusing_faults(self):
        self.fault("fonnte_reason", provider="fonnte",
                   reason="insufficient quota")
        self.assertEqual(self.fonnte()[1]["reason"], "insufficient quota")
        self.fault("watzap_status", provider="watzap", status="1006")
        self.assertEqual(self.watzap()[1]["status"], "1006")
        self.fault("meta_error", provider="meta", code=131000)
        status, made = self.meta(template())
        self.assertEqual((status, made["error"]["code"],
                          made["error"]["is_transient"]),
                         (500, 131000, True))
        self.assertEqual(
            [(e["accepted"], e["fault"]) for e in self.news()],
            [(False, "fonnte_reason"), (False, "watzap_status"),
             (False, "meta_error")])
        self.assertIs(self.fonnte()[1]["status"], True)

    def test_status_redirect_and_retry_after(self):
        self.fault("status", status=503, body="later",
                   content_type="text/plain", headers={"X-A": "b"})
        self.assertEqual(self.fonnte(), (503, b"later"))
        self.assertEqual(self.headers["X-A"], "b")
        self.fault("too_many", retry_after=7)
        self.assertEqual(self.fonnte()[0], 429)
        self.assertEqual(self.headers["Retry-After"], "7")
        self.fault("redirect", location="http://127.0.0.1:1/")
        self.assertEqual(self.fonnte()[0], 302)
        self.assertEqual(self.headers["Location"], "http://127.0.0.1:1/")

    def test_match_number_nth_and_times(self):
        self.fault("status", status=500, times=2,
                   match={"number": "081234567890"})
        self.assertEqual(self.fonnte()[0], 200)     # 62812... is another
        self.control("clear", {})
        number = self.fault("status", status=500, times=2,
                            match={"number": NUMBER, "nth": 2})
        got = [self.fonnte()[0] for _ in range(4)]
        self.assertEqual(got, [200, 500, 500, 200])
        self.assertEqual(self.fonnte(target="6281299999999")[0], 200)
        self.assertEqual([f["fired"] for f in self.control("fault")
                          if f["id"] == number], [2])

    def test_faults_leave_test_calls_alone(self):
        self.fault("status", status=500, times=None)
        token = {"Authorization": "FONNTEDEMOTOKEN"}
        self.assertEqual(self.call("/device", "", token)[0], 200)
        self.fault("status", status=502, match={"endpoint": "test"})
        self.assertEqual(self.call("/device", "", token)[0], 502)

    def test_cuts(self):
        self.fault("cut_before_read")
        self.breaks(ConnectionResetError)
        self.fault("cut_before_read", rst=False)
        self.breaks(http.client.RemoteDisconnected)
        self.fault("cut_after_read")
        self.breaks(http.client.RemoteDisconnected)
        self.fault("cut_after_read", rst=True)
        self.breaks(ConnectionResetError)
        got = [(e["body"] != "", e["accepted"], e["answer_status"])
               for e in self.news()]
        self.assertEqual(got, [(False, False, None), (False, False, None),
                               (True, True, None), (True, True, None)])

    def test_cut_on_a_reused_connection_only(self):
        self.fault("cut_after_read", match={"reused": True})
        self.assertEqual(self.fonnte()[0], 200)
        self.breaks(http.client.RemoteDisconnected)
        self.assertEqual([e["request"] for e in self.news()], [1, 2])
        self.assertEqual(len({e["connection"] for e in self.news()}), 1)

    def test_close_after_answer(self):
        self.fault("close_after")
        self.assertEqual(self.fonnte()[0], 200)
        self.assertIsNone(self.headers["Connection"])
        self.assertEqual(self.wire.sock.recv(1), b"")

    def test_keep_alive_and_close(self):
        self.fonnte()
        first = self.wire.sock
        self.fonnte()
        self.assertIs(self.wire.sock, first)
        self.assertEqual([e["request"] for e in self.news()], [1, 2])
        self.call("/device", "", {"Connection": "close"})
        self.assertEqual(self.headers["Connection"], "close")

    def test_rubbish(self):
        self.fault("garbage")
        self.assertIsInstance(self.fonnte()[1], bytes)
        self.fault("invalid_utf8")
        self.assertIn(b"\xff", self.fonnte()[1])
        self.fault("nul")
        self.assertIn(b"\0", self.fonnte()[1])
        self.fault("empty")
        self.assertEqual(self.fonnte()[1], b"")
        self.fault("huge", megabytes=3)
        self.assertGreater(len(self.fonnte()[1]["filler"]), 3000000)
        self.assertTrue(all(e["accepted"] for e in self.news()))

    def test_truncated_and_overrun(self):
        self.fault("truncated")
        self.breaks(http.client.IncompleteRead)
        self.fault("half_head")
        one = (b"POST /send HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
               b"Content-Length: 0\r\n\r\n")
        made = self.raw(one)
        self.assertTrue(made.startswith(b"HTTP/1.1 200 OK\r\n"))
        self.assertNotIn(b"\r\n\r\n", made)
        self.fault("overrun", extra="SPLIT")
        made = self.raw(one)
        self.assertRegex(made, rb"token invalid.*\}SPLIT$")

    def test_drip_and_delay(self):
        self.fault("drip", ms=0)
        self.assertIs(self.fonnte()[1]["status"], True)
        self.fault("delay", ms=150)
        before = time.monotonic()
        self.assertIs(self.fonnte()[1]["status"], True)
        self.assertGreaterEqual(time.monotonic() - before, 0.15)

    def test_hang_is_counted_before_any_answer(self):
        self.fault("hang")
        self.wire.request("POST", "/send", urllib.parse.urlencode(
            {"target": NUMBER, "message": "x"}), {
                "Authorization": "FONNTEDEMOTOKEN", "Content-Type":
                "application/x-www-form-urlencoded"})
        made = self.control("wait?count=1&timeout=10&fault=hang&since=%d"
                            % self.first_seq)
        self.assertEqual(made, {"count": 1, "reached": True})
        self.assertEqual(self.control("connections")["open"], 2)

    def test_hold_until_released(self):
        number = self.fault("hold", times=None)
        got = []
        thread = threading.Thread(target=lambda: got.append(self.fonnte()))
        thread.start()
        made = self.control("wait?count=1&timeout=10&fault_id=%d" % number)
        self.assertTrue(made["reached"])
        self.assertEqual(got, [])
        self.control("release", {"id": number})
        thread.join(10)
        self.assertIs(got[0][1]["status"], True)
        self.assertIs(self.fonnte()[1]["status"], True)

    def test_a_refusal_held_until_released(self):
        number = self.fault("fonnte_reason", reason="target invalid",
                            held=True)
        got = []
        thread = threading.Thread(target=lambda: got.append(self.fonnte()))
        thread.start()
        made = self.control("wait?count=1&timeout=10&fault_id=%d" % number)
        self.assertTrue(made["reached"])
        self.assertEqual(got, [])
        self.assertEqual(self.control("release", {"id": number}),
                         {"released": 1})
        thread.join(10)
        self.assertEqual(got[0][1]["reason"], "target invalid")
        self.assertIs(self.fonnte()[1]["status"], True)

    def test_unknown_wishes_are_refused(self):
        for path, value in (("fault", {"kind": "x"}),
                            ("fault", {"kind": "hang", "typo": 1}),
                            ("fault", {"kind": "meta_error"}),
                            ("fault", {"kind": "hang",
                                       "match": {"typo": 1}}),
                            ("config", {"fonnte": {"typo": 1}}),
                            ("config", {"fonnte": {"quota": "many"}}),
                            ("nothing", {})):
            status, made = self.call("/_control/" + path, json.dumps(value))
            self.assertIn(status, (400, 404), (path, value))
            self.assertIn("error", made)


class ServerTest(Case):
    def test_malformed_requests(self):
        for data in (b"NONSENSE\r\n\r\n", b"GET / HTTP/2.0\r\nHost: x\r\n\r\n",
                     b"GET / HTTP/1.1\r\n\r\n",
                     b"POST /send HTTP/1.1\r\nHost: x\r\n\r\n",
                     b"POST /send HTTP/1.1\r\nHost: x\r\n"
                     b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
                     b"POST /send HTTP/1.1\r\nHost: x\r\n"
                     b"Transfer-Encoding: chunked\r\n\r\n"):
            self.assertRegex(self.raw(data), rb"^HTTP/1\.1 4(00|11) ")
        self.assertEqual({e["endpoint"] for e in self.news()}, {"malformed"})

    def test_pipelined_requests_and_expect(self):
        one = (b"POST /device HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n"
               b"Expect: 100-continue\r\n\r\nx")
        last = b"GET /nowhere HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        made = self.raw(one + last)
        self.assertEqual(made.count(b"HTTP/1.1 100 Continue"), 1)
        self.assertEqual(made.count(b"token invalid"), 1)
        self.assertIn(b"HTTP/1.1 404", made)

    def test_wait_times_out(self):
        made = self.control("wait?count=1000000&timeout=0.01")
        self.assertFalse(made["reached"])

    def test_journal_can_be_filtered(self):
        self.fonnte()
        self.watzap()
        self.watzap(api_key="x")
        since = "&since=%d" % self.first_seq
        self.assertEqual(len(self.control("journal?provider=watzap"
                                          + since)), 2)
        self.assertEqual(len(self.control("journal?accepted=1" + since)), 2)
        self.assertEqual(self.control("journal?provider=fonnte" + since),
                         [e for e in self.news()
                          if e["provider"] == "fonnte"])

    def https(self, port, name="localhost"):
        context = ssl.create_default_context(
            cafile=os.path.join(self.folder, "ca.pem"))
        return http.client.HTTPSConnection(name, self.ports[port],
                                           timeout=20, context=context)

    def test_tls(self):
        for name in ("localhost", "127.0.0.1"):
            wire = self.https("tls", name)
            self.assertIs(self.fonnte(wire=wire)[1]["status"], True)
            wire.close()
        self.assertTrue(self.news()[-1]["tls"])
        self.fault("cut_after_read", rst=True, match={"tls": True})
        wire = self.https("tls")
        with self.assertRaises(OSError):
            self.fonnte(wire=wire)
        wire.close()

    def test_tls_that_must_be_refused(self):
        for port, words in (("bad_tls", "Hostname mismatch"),
                            ("bad_ca", "self-signed|unable to get local")):
            with self.assertRaisesRegex(ssl.SSLCertVerificationError, words):
                self.fonnte(wire=self.https(port))
        self.assertEqual(self.news(), [])

    def test_port_file(self):
        with open(os.path.join(self.folder, "ports"),
                  encoding="ascii") as file:
            self.assertIn("http=%d " % self.ports["http"], file.read())

    def test_sigterm_ends_it_with_requests_open(self):
        folder = tempfile.mkdtemp(prefix="simulator")
        process, ports = start(folder)
        with socket.create_connection(("127.0.0.1", ports["http"]),
                                      20) as sock:
            sock.sendall(b"POST /send HTTP/1.1\r\n")
            process.send_signal(signal.SIGTERM)
            self.assertEqual(process.wait(10), 0)
            self.assertTrue(ended(sock))
        process.stdout.close()
        shutil.rmtree(folder)

    def test_it_does_not_outlive_its_parent(self):
        folder = tempfile.mkdtemp(prefix="simulator")
        code = ("import os, subprocess, sys\n"
                "p = subprocess.Popen(sys.argv[1:], stdout=subprocess.PIPE)\n"
                "sys.stdout.buffer.write(p.stdout.readline())\n"
                "sys.stdout.flush()\nos._exit(0)\n")
        done = subprocess.run(
            [sys.executable, "-c", code, sys.executable,
             os.path.join(HERE, "simulator.py"), "--port", "0",
             "--state-dir", folder], stdout=subprocess.PIPE, text=True,
            timeout=20)
        port = int(done.stdout.split("http=")[1].split()[0])
        try:
            with socket.create_connection(("127.0.0.1", port), 20) as sock:
                self.assertTrue(ended(sock))
        except ConnectionRefusedError:
            pass                                        # gone already
        shutil.rmtree(folder)


class Told:
    """A web server that a provider tells; answers as the test wants."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.seen = []
        told = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                told.seen.append((self.path, self.headers.get(
                    "X-Hub-Signature-256"), body))
                self.send_response(told.answers.pop(0) if told.answers
                                   else 200)
                self.end_headers()

            def log_message(self, *words):
                pass

        self.server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        self.url = "http://127.0.0.1:%d/hook" % self.server.server_port
        threading.Thread(target=self.server.serve_forever,
                         daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class WebhookTest(Case):
    def setUp(self):
        super().setUp()
        told = self.control("told")
        self.since = told[-1]["seq"] if told else 0

    def bodies(self, more=""):
        return self.control("webhooks?since=%d%s" % (self.since, more))

    def told(self):
        return [e for e in self.control("told") if e["seq"] > self.since]

    def template(self, callback):
        return self.meta({"messaging_product": "whatsapp", "to": NUMBER,
                          "type": "template", "template": {
                              "name": "hello_world",
                              "language": {"code": "id"}},
                          "biz_opaque_callback_data": callback})[1]

    def test_nothing_is_told_unasked(self):
        self.template("swa:1:1")
        self.fonnte()
        self.watzap()
        self.assertEqual(self.bodies(), [])

    def test_meta_tells_of_what_it_accepted(self):
        self.control("config", {"meta": {"webhook_statuses": [
            "sent", "delivered", "read", "failed"]}})
        wamid = self.template("swa:1:42")["messages"][0]["id"]
        self.meta({"messaging_product": "whatsapp"})
        made = self.bodies()
        self.assertEqual(len(made), 4)
        for status, body in zip(("sent", "delivered", "read", "failed"),
                                made):
            value = json.loads(body["body"])
            self.assertEqual(value["object"], "whatsapp_business_account")
            change = value["entry"][0]["changes"][0]
            self.assertEqual(change["field"], "messages")
            told = change["value"]["statuses"][0]
            self.assertEqual((told["id"], told["status"],
                              told["biz_opaque_callback_data"]),
                             (wamid, status, "swa:1:42"))
            self.assertIsInstance(told["timestamp"], str)
            self.assertEqual("contacts" in change["value"],
                             status != "failed")
            self.assertEqual("pricing" in told,
                             status in ("sent", "delivered"))
            data = bytes.fromhex(body["body_hex"])
            self.assertEqual(data.decode(), body["body"])
            self.assertEqual(body["signature"], "sha256=" + hmac.new(
                b"METADEMOWEBHOOK", data, hashlib.sha256).hexdigest())
            self.assertIsNone(body["secret"])
        self.assertEqual(told["errors"][0]["code"], 131026)

    def test_fonnte_tells_in_three_shapes(self):
        self.control("config", {"fonnte": {"webhook_statuses": [
            "pending", "sent", "delivered", "read", "expired"]}})
        key = self.fonnte()[1]["id"][0]
        made = [json.loads(b["body"]) for b in self.bodies()]
        self.assertEqual([m.get("id") for m in made],
                         [key, key, None, None, key])
        self.assertEqual([m.get("stateid") for m in made],
                         [None, "3EB0" + key, "3EB0" + key, "3EB0" + key,
                          None])
        self.assertEqual([m.get("state") for m in made],
                         [None, "", "delivered", "read", None])
        self.assertEqual({b["secret"] for b in self.bodies()},
                         {"FONNTEDEMOWEBHOOK"})
        self.control("webhook", {"provider": "fonnte", "kind": "device",
                                 "status": "disconnect"})
        self.assertEqual(json.loads(self.bodies()[-1]["body"])["status"],
                         "disconnect")

    def test_somebody_writes(self):
        for provider in ("meta", "fonnte", "watzap"):
            self.control("webhook", {"provider": provider, "from": NUMBER,
                                     "text": "STOP", "timestamp": 1795799990,
                                     "context": "wamid.X"})
        meta, fonnte, watzap = [json.loads(b["body"]) for b in self.bodies()]
        value = meta["entry"][0]["changes"][0]["value"]
        self.assertEqual(value["messages"][0]["text"]["body"], "STOP")
        self.assertEqual(value["messages"][0]["context"]["id"], "wamid.X")
        self.assertEqual(value["contacts"][0]["wa_id"], NUMBER)
        self.assertEqual((fonnte["sender"], fonnte["message"]),
                         (NUMBER, "STOP"))
        self.assertEqual((watzap["data"]["chat_id"],
                          watzap["data"]["message_body"]), (NUMBER, "STOP"))
        self.control("webhook", {"provider": "meta", "user_id": "ID.99",
                                 "text": "STOP"})
        value = json.loads(self.bodies()[-1]["body"])
        value = value["entry"][0]["changes"][0]["value"]
        self.assertEqual(value["messages"][0]["from_user_id"], "ID.99")
        self.assertNotIn("from", value["messages"][0])
        self.control("webhook", {"provider": "meta", "kind": "raw", "update":
                                 {"field": "history", "value": {}}})
        self.assertIn('"history"', self.bodies()[-1]["body"])

    def test_shuffled_doubled_in_batches(self):
        for number in range(10):
            self.control("webhook", {"provider": "meta", "kind": "status",
                                     "message_id": "wamid.%d" % number,
                                     "status": "sent", "to": NUMBER})
        self.control("webhook", {"provider": "fonnte", "from": NUMBER,
                                 "text": "halo"})
        plain = [b["seqs"][0] for b in self.bodies()]
        self.assertEqual(plain, sorted(plain))
        mixed = [b["seqs"][0] for b in self.bodies("&shuffle=7&copies=2")]
        self.assertEqual(sorted(mixed), sorted(plain * 2))
        self.assertNotEqual(mixed, plain * 2)
        self.assertEqual(mixed, [b["seqs"][0] for b in
                                 self.bodies("&shuffle=7&copies=2")])
        made = self.bodies("&batch=4")
        self.assertEqual([len(b["seqs"]) for b in made], [4, 4, 2, 1])
        self.assertEqual(len(json.loads(made[0]["body"])["entry"][0]
                             ["changes"]), 4)

    def test_told_until_it_is_taken(self):
        hook = Told(503, 403, 200, 200)
        self.control("config", {"meta": {
            "webhook_url": hook.url, "webhook_repeat_ms": 1,
            "webhook_copies": 2}})
        self.control("webhook", {"provider": "meta", "from": NUMBER,
                                 "text": "halo"})
        self.assertEqual(self.control("idle")["left"], 0)
        self.assertEqual(self.told()[0]["answers"], [503, 403, 200, 200])
        self.assertEqual(len(hook.seen), 4)
        path, signed, body = hook.seen[0]
        self.assertEqual(path, "/hook")
        self.assertEqual(signed, "sha256=" + hmac.new(
            b"METADEMOWEBHOOK", body, hashlib.sha256).hexdigest())
        hook.close()

    def test_told_in_order_or_not(self):
        hook = Told()
        for shuffled in (False, True):
            self.control("config", {"fonnte": {
                "webhook_url": hook.url, "webhook_delay_ms": 50,
                "webhook_shuffle": shuffled}})
            for number in range(20):
                self.control("webhook", {"provider": "fonnte", "inboxid":
                                         number + 1, "from": NUMBER})
            self.assertEqual(self.control("idle")["left"], 0)
            seen = [json.loads(body)["inboxid"] for _, _, body in hook.seen]
            self.assertEqual({signed for _, signed, _ in hook.seen}, {None})
            hook.seen.clear()
            self.assertEqual(sorted(seen), list(range(1, 21)))
            self.assertEqual(seen == sorted(seen), not shuffled)
        hook.close()

    def test_nobody_listens(self):
        hook = Told()
        hook.close()
        self.control("config", {"watzap": {
            "webhook_url": hook.url, "webhook_repeats": 2,
            "webhook_repeat_ms": 1}})
        self.control("webhook", {"provider": "watzap", "from": NUMBER,
                                 "text": "halo"})
        self.assertEqual(self.control("idle")["left"], 0)
        self.assertEqual(self.told()[0]["answers"], [0, 0, 0])


def main():
    suite = unittest.defaultTestLoader.loadTestsFromModule(
        sys.modules["__main__"])
    result = unittest.TextTestRunner(stream=sys.stderr).run(suite)
    if hasattr(Case, "process"):
        Case.process.terminate()
        Case.process.wait(10)
        Case.process.stdout.close()
        shutil.rmtree(Case.folder)
    bad = len(result.failures) + len(result.errors)
    print("simulator selftest: %d passed, %d failed"
          % (result.testsRun - bad, bad))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
