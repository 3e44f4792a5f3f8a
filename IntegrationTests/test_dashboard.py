"""The dashboard in a real Chromium, against a stand-in for the server and, for the frame, against roost-server."""

import os
import re

import pytest

playwright_api = pytest.importorskip("playwright.sync_api")

from conftest import PREFIX, ROOT, Program, wait_until  # noqa: E402
from dashboard_fleet import HOSTILE, fleet  # noqa: E402
from dashboard_server import TOKEN, serve  # noqa: E402

CHROMIUM = "/usr/bin/chromium"
SERVER = PREFIX / "bin" / "roost-server"
PAGES = ["overview", "workloads", "workloads/research/giant", "workloads/new", "devices", "nodes", "nodes/gpu-0",
         "pools", "projects", "events", "cost", "audit"]
PHONE = {"width": 375, "height": 740}
DESK = {"width": 1280, "height": 900}
expect = playwright_api.expect


@pytest.fixture(scope="module")
def browser():
    with playwright_api.sync_playwright() as playwright:
        # As root, Chromium's own sandbox does not start.
        instance = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield instance
        instance.close()


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dashboard")
    print(f"pictures are in {folder}")
    return folder


class Visit:
    """A browser's tab with the dashboard, and what its console said."""

    def __init__(self, browser, address, token=TOKEN, **options):
        self.complaints = []
        self.address = address
        self.context = browser.new_context(**{"viewport": DESK, "locale": "en-GB", **options})
        if token:
            self.context.add_init_script(f"sessionStorage.setItem('roost-token', '{token}')")
        self.page = self.context.new_page()
        self.page.set_default_timeout(8000)
        self.page.on("console", lambda line: line.type in ("error", "warning") and self.complaints.append(line.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def open(self, page):
        """Shows a page with all its lists."""
        self.page.goto(f"{self.address}/#/{page}")
        expect(self.page.locator("h1")).to_be_visible()
        expect(self.page.locator("main")).not_to_contain_text("Loading …")
        return self.page

    def picture(self, folder, name):
        self.page.screenshot(path=folder / f"{name}.png", full_page="ROOST_WHOLE_PICTURES" in os.environ)


@pytest.fixture
def stand_in():
    state = fleet()
    server = serve(state)
    state.address = f"http://127.0.0.1:{server.server_address[1]}"
    yield state
    state.cut_streams()
    server.shutdown()
    server.server_close()


@pytest.fixture
def visit(browser, stand_in):
    """Opens tabs; none may have complained at the end, but for what a test says."""
    visits = []

    def begin(**options):
        visits.append(Visit(browser, stand_in.address, **options))
        return visits[-1]

    yield begin
    for one in visits:
        one.context.close()
        assert one.complaints == []


def luminance(colour):
    red, green, blue = [int(number) / 255 for number in re.findall(r"\d+", colour)[:3]]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (red, green, blue)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    lighter, darker = sorted([luminance(one), luminance(other)], reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


# What a screen reader would miss, on the page on show.
CENSUS = """() => {
    const named = (element) => (element.getAttribute('aria-label') || element.textContent || '').trim() !== '';
    const labelled = (input) => input.labels.length > 0 || input.getAttribute('aria-label');
    const all = (selector) => [...document.querySelectorAll(selector)];
    const ids = all('[id]').map((element) => element.id);
    return {
        lang: document.documentElement.lang, mains: all('main').length, titles: all('h1').length,
        navigations: all('nav[aria-label]').length,
        headless: all('table').filter((table) => !table.caption || !table.querySelector('th[scope=col]')).length,
        nameless: all('button, a').filter((element) => !named(element)).map((element) => element.outerHTML),
        unlabelled: all('input, select, textarea').filter((input) => !labelled(input)).map((input) => input.outerHTML),
        untold: all('svg').filter((svg) => svg.getAttribute('aria-hidden') !== 'true' &&
            !(svg.getAttribute('role') === 'img' && svg.getAttribute('aria-label'))).map((svg) => svg.outerHTML),
        twice: ids.filter((id, index) => ids.indexOf(id) !== index),
        skipped: all('h1, h2, h3').map((heading) => Number(heading.tagName[1]))
            .filter((level, index, levels) => index > 0 && level > levels[index - 1] + 1),
    };
}"""


@pytest.mark.parametrize("page", PAGES)
def test_page_is_drawn_readable_and_fits_a_phone(visit, pictures, page):
    tab = visit()
    shown = tab.open(page)
    census = shown.evaluate(CENSUS)
    assert census == {"lang": "en", "mains": 1, "titles": 1, "navigations": 1, "headless": 0, "nameless": [],
                      "unlabelled": [], "untold": [], "twice": [], "skipped": []}
    name = page.replace("/", "-")
    tab.picture(pictures, name)
    shown.set_viewport_size(PHONE)
    assert shown.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    tab.picture(pictures, f"{name}-phone")


def test_overview_says_how_the_fleet_is(visit, stand_in):
    page = visit().open("overview")
    expect(page.get_by_role("link", name=re.compile("Nodes ready"))).to_contain_text("5 / 6")
    expect(page.get_by_role("link", name=re.compile("Waiting"))).to_contain_text("3")
    expect(page.get_by_role("img", name=re.compile(r"^Compute: \d+ %"))).to_be_visible()
    expect(page.get_by_role("img", name=re.compile("^2: not available"))).to_have_count(2)
    rows = page.get_by_role("table", name="Waiting workloads").get_by_role("row")
    expect(rows.nth(1)).to_contain_text("giant")
    expect(rows.nth(1)).to_contain_text("No node has 8 free devices")
    expect(page.locator(".alerts li").first).to_contain_text("Device gpu-1.2 does not work.")


def test_changes_appear_and_streams_recover(visit, stand_in):
    tab = visit()
    page = tab.open("workloads")
    wait_until(lambda: stand_in.watches >= 2, "the page watches its kinds")
    before = sum(path.startswith("/api/v1/workloads?limit") for _, path in stand_in.requests)
    stand_in.change("workloads", "research", "giant", "status", {"phase": "Running", "ready": 4, "queuePosition": None})
    row = page.get_by_role("row", name=re.compile("giant"))
    expect(row).to_contain_text("4 of 4")
    expect(page.get_by_role("status")).to_contain_text("research/giant is now Running")
    stand_in.delete("workloads", "default", "done")
    expect(page.get_by_role("row", name=re.compile("done"))).to_have_count(0)

    def lists():
        return sum(path.startswith("/api/v1/workloads?limit") for _, path in stand_in.requests)

    assert lists() == before
    stand_in.cut_streams()
    stand_in.change("workloads", "research", "giant", "status", {"ready": 3})
    expect(row).to_contain_text("3 of 4")
    assert lists() == before, "a stream that was cut goes on from its revision"
    stand_in.cut_streams(compact=True)
    wait_until(lambda: lists() == before + 1, "a history that does not reach back makes it list again")
    wait_until(lambda: stand_in.watches >= 2, "it watches again")
    stand_in.change("workloads", "research", "giant", "status", {"ready": 2})
    expect(row).to_contain_text("2 of 4")
    tab.complaints[:] = [line for line in tab.complaints if "410" not in line]


def test_two_tabs_leave_connections_for_requests(visit, stand_in):
    tab = visit()
    tab.open("cost")
    wait_until(lambda: stand_in.watches == 4, "a page holds at most four streams")
    second = tab.context.new_page()
    second.goto(f"{stand_in.address}/#/workloads")
    expect(second.get_by_role("row", name=re.compile("giant"))).to_be_visible()
    assert stand_in.watches <= 4


def test_device_shows_compute_memory_and_vgpus(visit, stand_in):
    page = visit().open("devices")
    card = page.get_by_role("listitem").filter(has=page.get_by_role("heading", name="gpu-0.1"))
    expect(card.get_by_role("img", name="Compute: promised 29%, free 71%")).to_be_visible()
    expect(card.get_by_role("img", name="Memory: used 20 GiB, promised, not used 20 GiB, free 101 GiB")).to_be_visible()
    expect(card.get_by_role("img", name="Busy: now 50 %, between 25 and 75 %")).to_be_visible()
    expect(card).to_contain_text("train-0")
    expect(card).to_contain_text("50% – 100% · 32GiB")
    stand_in.change("devices", None, "gpu-0.1", "status", {"allocatedCompute": "80%", "utilization": "77%"})
    expect(card).to_contain_text("77% busy")
    page.get_by_label("Find").fill("L4")
    expect(page.get_by_role("heading", name="gpu-4.0")).to_be_visible()
    expect(page.get_by_role("heading", name="gpu-0.1")).to_have_count(0)


def test_waiting_workload_says_why_and_what_helps(visit, stand_in):
    page = visit().open("workloads/research/giant")
    panel = page.get_by_role("region", name="Why it waits")
    expect(panel).to_contain_text("No node has 8 free devices.")
    expect(panel).to_contain_text("number 1 in the queue")
    expect(panel.get_by_role("row", name=re.compile("12.*Too little compute"))).to_be_visible()
    expect(panel).to_contain_text("The nearest fit is gpu-2 0. It lacks 37% of compute, 52GiB of memory.")
    expect(panel.get_by_role("listitem")).to_have_text(["Ask for 4 devices instead of 8.", "Bring node gpu-3 back."])
    stand_in.why["giant"] = {**stand_in.why["giant"], "verdict": "It is nearly its turn."}
    stand_in.change("workloads", "research", "giant", "status", {"queuePosition": 2})
    expect(panel).to_contain_text("It is nearly its turn.")


def test_workload_is_checked_planned_created_scaled_and_deleted(visit, stand_in):
    tab = visit()
    page = tab.open("workloads/new")
    page.get_by_label("Name").fill("fresh")
    page.get_by_label("Project").select_option("vision")
    page.get_by_label("Memory", exact=True).fill("8 apples")
    page.get_by_role("button", name="Check only").click()
    expect(page.get_by_label("Memory", exact=True)).to_have_attribute("aria-invalid", "true")
    expect(page.locator(".field-problem")).to_have_text("memory is written as 4GiB, not 8 apples")
    assert len(tab.complaints) == 1 and "422" in tab.complaints.pop()
    page.get_by_label("Memory", exact=True).fill("8GiB")
    page.get_by_label("Compute", exact=True).fill("25%")
    page.get_by_role("button", name="Check only").click()
    expect(page.get_by_role("status").last).to_contain_text("It would be taken.")
    assert ("vision", "fresh") not in stand_in.items["workloads"], "a check stores nothing"
    page.get_by_role("button", name="Preview the plan").click()
    expect(page.get_by_text("It would cost US$2.50 an hour.")).to_be_visible()
    expect(page.get_by_role("row", name=re.compile("fresh 0"))).to_contain_text("gpu-0")
    expect(page.get_by_role("row", name=re.compile("fresh 1"))).to_contain_text("Too little memory is free.")
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Workload fresh")
    spec = stand_in.items["workloads"]["vision", "fresh"]["spec"]
    assert spec == {"replicas": 1, "resources": {
        "devices": 1, "compute": {"request": "25%"}, "memory": {"request": "8GiB"}}}
    page.get_by_label("Replicas").fill("3")
    page.get_by_role("button", name="Scale").click()
    expect(page.get_by_text("0 of 3 replicas")).to_be_visible()
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    assert ("vision", "fresh") in stand_in.items["workloads"]
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Workloads")
    assert ("vision", "fresh") not in stand_in.items["workloads"]


def test_names_stay_text(visit, stand_in):
    tab = visit()
    for page, place in [("overview", "main"), ("workloads", "main"), ("projects", "main"), ("events", "main"),
                        ("audit", "main")]:
        shown = tab.open(page)
        expect(shown.locator(place).get_by_text(HOSTILE).first).to_be_visible()
        assert shown.locator(f"{place} img").count() == 0
    shown.goto(f"{stand_in.address}/#/workloads")
    shown.get_by_role("link", name=HOSTILE).click()
    expect(shown.get_by_role("heading", level=1)).to_have_text(f"Workload {HOSTILE}")
    shown.goto(f"{stand_in.address}/#/{HOSTILE}")
    expect(shown.get_by_text("There is no such page.")).to_be_visible()
    assert shown.evaluate("window.wasAttacked") is None


def test_keyboard_leads_everywhere(visit, stand_in):
    page = visit().open("overview")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.get_by_role("link", name="Workloads", exact=True).focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1, name="Workloads")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="New workload")).to_be_focused()
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid", "focus can be seen"
    page.goto(f"{stand_in.address}/#/workloads/vision/train")
    page.get_by_role("button", name="Delete").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog", name="Delete train?")).to_be_visible()
    expect(page.get_by_role("button", name="Cancel")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.get_by_role("button", name="Delete")).to_be_focused()
    assert ("vision", "train") in stand_in.items["workloads"]


def test_focus_and_what_was_typed_outlive_changes(visit, stand_in):
    page = visit().open("workloads/vision/train")
    replicas = page.get_by_label("Replicas")
    replicas.fill("7")
    stand_in.change("workloads", "vision", "train", "status", {"ready": 1})
    expect(page.get_by_text("1 of 2 replicas")).to_be_visible()
    expect(replicas).to_be_focused()
    expect(replicas).to_have_value("7")


def test_menu_opens_and_closes_on_a_phone(visit):
    page = visit(viewport=PHONE, has_touch=True).open("overview")
    expect(page.get_by_role("navigation")).to_have_count(0)
    page.get_by_role("button", name="Menu").tap()
    expect(page.get_by_role("link", name="Cost")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Menu")).to_be_focused()
    expect(page.get_by_role("link", name="Cost")).to_have_count(0)
    page.get_by_role("button", name="Menu").tap()
    page.get_by_role("link", name="Cost").tap()
    expect(page.get_by_role("heading", level=1)).to_have_text("Cost so far")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_are_readable(visit, pictures, scheme):
    tab = visit(color_scheme=scheme)
    page = tab.open("overview")
    tab.picture(pictures, f"overview-{scheme}")
    for selector in ["h1", ".hint", ".badge.tone-bad", ".badge.tone-wait", ".tile-note", "td a, th a", "thead th",
                     ".legend, .map a", "nav a", "nav a[aria-current]"]:
        colours = page.locator(selector).first.evaluate("""(element) => {
            // The colour as numbers: a canvas turns each form into RGB.
            const pixels = (colour) => {
                const pen = new OffscreenCanvas(1, 1).getContext('2d');
                pen.fillStyle = colour;
                pen.fillRect(0, 0, 1, 1);
                return [...pen.getImageData(0, 0, 1, 1).data].join(' ');
            };
            let ground = element;
            while (getComputedStyle(ground).backgroundColor === 'rgba(0, 0, 0, 0)') ground = ground.parentElement;
            return [pixels(getComputedStyle(element).color), pixels(getComputedStyle(ground).backgroundColor)];
        }""")
        assert contrast(*colours) >= 4.5, f"{selector} in {scheme}: {colours}"
    is_dark = luminance(page.evaluate("getComputedStyle(document.body).backgroundColor")) < 0.2
    assert is_dark == (scheme == "dark")


def test_chosen_colours_outlive_the_system_and_a_reload(visit):
    page = visit(color_scheme="light").open("overview")
    page.get_by_label("Colours").select_option("dark")
    page.reload()
    expect(page.get_by_label("Colours")).to_have_value("dark")
    assert luminance(page.evaluate("getComputedStyle(document.body).backgroundColor")) < 0.2


def test_cost_is_worked_out_from_price_lists(visit, stand_in):
    page = visit().open("cost")
    # Two hours of half an H200, and as much again for the limit; twice, for train has two vGPUs.
    train = page.get_by_role("table", name="Cost by workload").get_by_role("row", name=re.compile("train"))
    expect(train).to_contain_text("US$8.00")
    expect(train).to_contain_text("US$16.0")
    # A quarter, of whose two hours one is under protection from eviction at 120 %.
    serve_row = page.get_by_role("table", name="Cost by workload").get_by_role("row", name=re.compile("serve"))
    expect(serve_row).to_contain_text("US$2.2")


def test_node_is_cordoned_and_drained_after_a_question(visit, stand_in):
    page = visit().open("nodes/gpu-0")
    page.get_by_role("button", name="Cordon").click()
    expect(page.get_by_role("region", name="State")).to_contain_text("Takes nothing new")
    page.get_by_role("button", name="Drain").click()
    page.get_by_role("dialog").get_by_role("button", name="Drain").click()
    expect(page.get_by_role("region", name="State")).to_contain_text("Drains")
    assert stand_in.find("nodes", None, "gpu-0")["spec"] == {"unschedulable": True, "drain": True}
    page.get_by_role("button", name="Take new work").click()
    expect(page.get_by_role("button", name="Cordon")).to_be_visible()
    assert stand_in.find("nodes", None, "gpu-0")["spec"] == {}


def test_audit_log_begins_with_the_newest(visit):
    page = visit().open("audit")
    rows = page.get_by_role("table", name="Audit records").get_by_role("row")
    expect(rows).to_have_count(101)
    expect(rows.nth(1)).to_contain_text("250")
    page.get_by_role("button", name="Show earlier ones").click()
    expect(rows).to_have_count(201)
    page.get_by_role("button", name="Show earlier ones").click()
    expect(rows).to_have_count(251)
    expect(page.get_by_role("button", name="Show earlier ones")).to_have_count(0)


def test_viewers_get_no_buttons_that_they_may_not_use(visit, stand_in):
    stand_in.identity = {"subject": "vera", "method": "token", "grants": [{"role": "viewer", "project": "vision"}]}
    page = visit().open("workloads")
    expect(page.get_by_role("link", name="New workload")).to_have_count(0)
    expect(page.get_by_role("link", name="Audit")).to_have_count(0)
    page.goto(f"{stand_in.address}/#/workloads/vision/train")
    expect(page.get_by_role("region", name="vGPUs")).to_be_visible()
    expect(page.get_by_role("button", name="Delete")).to_have_count(0)


def test_a_token_signs_in_and_is_kept_for_the_tab_alone(visit, stand_in, pictures):
    tab = visit(token=None)
    page = tab.page
    page.goto(stand_in.address)
    expect(page.get_by_label("Token")).to_be_focused()
    tab.picture(pictures, "sign-in")
    page.get_by_label("Token").fill("wrong")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("The token is not known")
    page.get_by_label("Token").fill(TOKEN)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Overview")
    expect(page.get_by_text("ada")).to_be_visible()
    assert TOKEN not in page.evaluate("JSON.stringify(localStorage) + document.cookie")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_label("Token")).to_be_visible()
    assert page.evaluate("sessionStorage.length") == 0
    assert len(tab.complaints) == 3 and all("401" in line for line in tab.complaints)
    tab.complaints.clear()


@pytest.mark.skipif(not SERVER.exists(), reason="roost-server is not built")
def test_real_server_serves_the_dashboard(browser, tmp_path, pictures):
    server = Program([SERVER, "serve", "--listen", "127.0.0.1:0", "--state-dir", tmp_path / "s", "--store", "memory",
                      "--dashboard", ROOT / "Dashboard"])
    tab = None
    try:
        line = next(line for line in iter(lambda: server.expect_line("", 20), None) if "address=" in line)
        address = re.search(r"address=(http://[\d.:]+)", line.replace('"', "")).group(1)
        token = (tmp_path / "s" / "admin.token").read_text().strip()
        tab = Visit(browser, address, token=token)
        page = tab.open("overview")
        expect(page.get_by_text("No node has joined yet.")).to_be_visible()
        for name in ["workloads", "devices", "nodes", "pools", "projects", "events", "cost", "audit"]:
            tab.open(name)
        page.goto(f"{address}/#/workloads/new")
        page.get_by_label("Name").fill("fresh")
        page.get_by_role("button", name="Create").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Workload fresh")
        tab.picture(pictures, "real-server")
        page.get_by_role("button", name="Delete").click()
        page.get_by_role("dialog").get_by_role("button", name="Delete").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Workloads")
        # Without a control loop the server can't say why something waits.
        assert [one for one in tab.complaints if "503" not in one] == []
    finally:
        if tab:
            tab.context.close()
        server.process.kill()
        server.process.wait(10)
