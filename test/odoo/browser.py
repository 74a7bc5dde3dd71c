"""A browser that looks at Odoo's pages: for parts of checks.py.

Chromium and its driver run as nobody.  Whatever waits, waits for what is to be
seen, and no page is passed over in silence: an error in the browser's console
or a dialog with a traceback is a failure of the one who looks.
"""

import contextlib
import os
import shutil

from selenium import webdriver
from selenium.common.exceptions import JavascriptException, WebDriverException
from selenium.webdriver.common.keys import Keys

from odoo_test import LIMIT_S
from web import Process, Unseen, wait

HOME = "/test/nobody"
PICTURES = HOME + "/pictures"
DESKTOP = (1280, 860)
PHONE = (390, 844)
# What the console says of what is not there: the world outside, and a file that Debian's Odoo lacks
NOT_THE_PAGE = ("fonts.googleapis.com", "fonts.gstatic.com", "selfie_segmentation")


def chromedriver(time_zone):
    shutil.rmtree(HOME, ignore_errors=True)
    os.makedirs(PICTURES)
    for folder in (HOME, PICTURES):
        shutil.chown(folder, "nobody", "nogroup")
    return Process(["/usr/bin/chromedriver", "--port=PORT"], "nobody", "/test/chromedriver.log",
                   {"HOME": HOME, "TMPDIR": HOME, "TZ": time_zone})


# What the page shows, asked in one go: elements that can be seen, by selector and words.
SEEN = """
const [selector, words, exact] = arguments;
const plain = (text) => (text || "").replace(/\\s+/g, " ").trim();
const shown = (e) => e.checkVisibility({visibilityProperty: true}) && e.getClientRects().length > 0;
const says = (e) => plain(e.innerText || e.value || e.getAttribute("aria-label") || e.title || "");
const fits = (e) => words === null || (exact ? says(e) === words : says(e).includes(words));
const found = [...document.querySelectorAll(selector)].filter((e) => shown(e) && fits(e));
// of elements within each other the innermost
return found.filter((e) => !found.some((o) => o !== e && e.contains(o)));
"""
# Is something asked for, or yet to be drawn? Told after the next two pictures of the page.
BUSY = """
const done = arguments[0];
const rpc = window.odoo && odoo.loader && odoo.loader.modules.get("@web/core/network/rpc");
if (rpc && rpc.rpcBus && !window.waitedFor) {
    window.waitedFor = new Set();
    rpc.rpcBus.addEventListener("RPC:REQUEST", (event) => waitedFor.add(event.detail.data.id));
    rpc.rpcBus.addEventListener("RPC:RESPONSE", (event) => waitedFor.delete(event.detail.data.id));
}
requestAnimationFrame(() => requestAnimationFrame(() => done(document.readyState !== "complete"
    || !document.querySelector(".o_web_client, .oe_login_form") || (window.waitedFor && waitedFor.size > 0)
    || !!document.querySelector(".o_loading_indicator, .o_blockUI"))));
"""
REFUSAL = ".o_error_dialog"         # Odoo's dialog for what went wrong, a sentence or worse
TRACEBACK = REFUSAL + " [role=alert] button"        # only one with a traceback has a button to show it


class Browser:
    """A window of Chromium's in which somebody is logged in."""

    def __init__(self, driver_port, server_port, size=DESKTOP):
        options = webdriver.ChromeOptions()
        options.binary_location = "/usr/bin/chromium"
        for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                         "--no-first-run", "--disable-extensions", "--hide-scrollbars",
                         "--disable-background-networking", "--force-device-scale-factor=1",
                         "--window-size=%d,%d" % size):
            options.add_argument(argument)
        if size == PHONE:
            options.add_experimental_option("mobileEmulation", {"deviceMetrics": {
                "width": size[0], "height": size[1], "pixelRatio": 1.0, "touch": True}})
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = webdriver.Remote("http://127.0.0.1:%d" % driver_port, options=options)
        self.driver.set_script_timeout(LIMIT_S)
        self.site = "http://127.0.0.1:%d" % server_port
        self.size = size
        if size != PHONE:           # the page's own size, whatever the window's frame takes
            width, height = self.js("return [outerWidth - innerWidth, outerHeight - innerHeight]")
            self.driver.set_window_size(size[0] + width, size[1] + height)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(WebDriverException):
            self.driver.quit()

    def js(self, code, *arguments):
        return self.driver.execute_script(code, *arguments)

    # Looking

    def seen(self, selector, words=None, exact=False):
        """Elements that can be seen, and say the words, now."""
        try:
            return self.js(SEEN, selector, words, exact)
        except JavascriptException as error:
            if "stale" in str(error):
                return []
            raise

    def page(self):
        """All words that can be seen."""
        return self.js("return document.body ? document.body.innerText : ''")

    def no_error(self):
        """Raises if the page has a dialog with a traceback, or its console an error."""
        if self.seen(TRACEBACK):
            raise Unseen("a dialog with a traceback at %s:\n%s" % (self.driver.current_url, self.traceback()))
        for entry in self.driver.get_log("browser"):
            if entry["level"] == "SEVERE" and not any(w in entry["message"] for w in NOT_THE_PAGE):
                raise Unseen("the console says: " + entry["message"])

    def at_rest(self):
        """Waits until the page has drawn what it asked for."""
        wait(lambda: not self.driver.execute_async_script(BUSY), lambda: "the page does not come to rest:\n" + self.page())

    def wait_for(self, selector, words=None, exact=False):
        """Waits until something can be seen; the first of them."""
        def look():
            if REFUSAL not in selector and self.seen(REFUSAL):
                raise Unseen("waiting for %s %r, a dialog: %s" % (selector, words, self.refusal()))
            return self.seen(selector, words, exact)
        return wait(look, lambda: "%s %r is not to be seen at %s. The page:\n%s" % (
            selector, words, self.driver.current_url, self.page()[:3000]))[0]

    def wait_gone(self, selector, words=None):
        wait(lambda: not self.seen(selector, words),
             lambda: "%s %r does not go. The page:\n%s" % (selector, words, self.page()[:3000]))

    def texts(self, selector):
        words = self.js("const seen = function () {%s}; return seen(...arguments).map((e) => e.innerText || '')" % SEEN,
                        selector, None, False)
        return [" ".join(text.split()) for text in words]

    def refusal(self):
        """The sentence in Odoo's own dialog, which is closed."""
        self.wait_for(REFUSAL)
        self.no_error()
        sentence = " ".join(self.texts(REFUSAL + " [role=alert]"))
        self.click(REFUSAL + " footer button")
        self.wait_gone(REFUSAL)
        return sentence

    def traceback(self):
        self.js("arguments[0].click()", self.seen(TRACEBACK)[0])
        return "".join(self.js("return [...document.querySelectorAll('.o_error_detail')]"
                               ".map((e) => e.innerText)"))

    # Acting

    def open(self, path, selector=".o_action_manager .o_action"):
        self.driver.get(self.site + path)
        found = self.wait_for(selector)
        self.at_rest()
        self.no_error()
        return found

    def click(self, selector, words=None, exact=False):
        """Clicks what is to be seen there, as soon as it takes a click."""
        wait(lambda: self.takes_click(lambda: self.wait_for(selector, words, exact)),
             "%s %r takes no click" % (selector, words))
        self.no_error()

    def takes_click(self, find):
        """Clicks what is found; False if that is nothing, or moves, or is drawn anew meanwhile."""
        try:
            element = find()
            if element:
                self.js("arguments[0].scrollIntoView({block: 'center', inline: 'nearest'})", element)
                element.click()
            return bool(element)
        except WebDriverException as error:
            if not any(w in str(error) for w in ("stale", "intercepted", "not interactable")):
                raise
            return False

    def type(self, selector, words, *keys):
        """Writes words into a field, in the place of what is in it."""
        element = self.wait_for(selector)
        self.js("arguments[0].scrollIntoView({block: 'center'})", element)
        element.click()
        element.send_keys(Keys.CONTROL, "a")
        element.send_keys(words, *keys)

    def log_in(self, login, password=None):
        self.open("/web/login", ".oe_login_form")
        self.type("input[name=login]", login)
        self.type("input[name=password]", password or login)
        self.click("button[type=submit]")
        self.wait_for(".o_web_client .o_main_navbar, .o_web_client .o_navbar")
        self.at_rest()

    def app(self, menu, *sections):
        """Through the menu, by the names that it has in the source."""
        phone = self.size == PHONE
        self.click(".o_menu_toggle" if phone else ".o_navbar_apps_menu button")
        if phone and not self.seen(".o_app"):
            self.click(".o_sidebar_topbar a")
        self.click(".o_app[data-menu-xmlid='%s']" % menu)
        for section in sections:
            if phone:
                self.click(".o_menu_toggle")
            self.click("[data-menu-xmlid='%s']" % section)

    def action(self, words):
        """What the gear of a form, or of a list's chosen rows, offers."""
        self.click(".o_cp_action_menus button")
        self.click(".o-dropdown--menu .o-dropdown-item", words)

    def click_in(self, row, words, selector):
        """Clicks something in the row that says the words."""
        def find():
            return next((e for e in self.seen(row, words) or [] for e in self.js(
                "return [...(arguments[0].closest(arguments[1]) || arguments[0]).querySelectorAll(arguments[2])]",
                e, row, selector)), None)
        wait(lambda: self.takes_click(find), lambda: "%s in %s %r is not to be seen. The page:\n%s" % (selector, row, words, self.page()[:3000]))
        self.no_error()

    def shot(self, name):
        """A picture of the page; its file."""
        self.at_rest()
        self.no_error()
        seen = []

        def still():
            seen.append(self.driver.get_screenshot_as_png())
            return seen[-2:-1] == seen[-1:]
        wait(still, "%s does not stand still" % name)
        path = "%s/%s-%d.png" % (PICTURES, name, self.size[0])
        with open(path, "wb") as file:
            file.write(seen[-1])
        return path

    def overflow(self):
        """How much wider than the window the page is: a phone would have to push it about."""
        return self.js("return Math.max(0, document.scrollingElement.scrollWidth - innerWidth)")

