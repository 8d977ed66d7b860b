"""The page in a real browser: what a person does, and what they then see."""

import shutil
from collections.abc import Iterator
from typing import Any

import pytest

webdriver = pytest.importorskip("selenium.webdriver", reason="needs selenium")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
FLAGS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run",
         "--disable-sync"]  # fmt: skip
pytestmark = pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="needs chromium and chromedriver")

METHODS = (
    "return [...document.querySelectorAll('#board tbody tr:not([hidden])')].map((row) => row.cells[0].dataset.value)"
)
DELETIONS = (
    "return [...document.querySelectorAll('#board tbody tr')]"
    ".map((row) => Number(row.querySelector('td.num').dataset.value))"
)
PIXELS = "return [...document.querySelectorAll('.card canvas')].map((canvas) => canvas.toDataURL()).join()"
CARDS = (
    "return [...document.querySelectorAll('.card[data-method]')].map((c) => `${c.dataset.method} ${c.dataset.target}`)"
)
IMAGE_TWO = "shapes-test-00001"
DRAWN = "return document.querySelectorAll('.card[data-method]').length > 0"


@pytest.fixture(scope="module")
def browser(html: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    file = tmp_path_factory.mktemp("page") / "report.html"
    file.write_text(html, encoding="utf-8")
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in [*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"]:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    driver.get(file.as_uri())
    wait(driver, DRAWN)
    yield driver
    driver.quit()


def wait(browser: Any, script: str, *arguments: object) -> None:
    from selenium.webdriver.support.wait import WebDriverWait

    WebDriverWait(browser, 60).until(lambda driver: driver.execute_script(script, *arguments))


def changed(browser: Any, action: str) -> tuple[list[str], list[str]]:
    """Do something in the gallery; wait until its pixels differ, and return the cards before and after."""
    pixels, before = browser.execute_script(PIXELS), browser.execute_script(CARDS)
    browser.execute_script(action)
    wait(browser, f"return (() => {{ {PIXELS} }})() !== arguments[0]", pixels)
    return before, browser.execute_script(CARDS)


def choose(selector: str, value: str) -> str:
    return (
        f"const e = document.querySelector({selector!r}); e.value = {value!r};"
        "e.dispatchEvent(new Event('input', { bubbles: true }))"
    )


def test_it_opens_without_a_word_on_the_console(browser: Any) -> None:
    assert browser.get_log("browser") == []
    assert browser.title == "a run · Heatmark"


def test_a_click_on_a_header_sorts_and_another_turns_the_order(browser: Any) -> None:
    header = browser.find_elements("css selector", "#board thead tr:nth-child(2) button")[0]
    header.click()
    values = browser.execute_script(DELETIONS)
    assert values == sorted(values)
    assert len(values) == 20
    header.click()
    assert browser.execute_script(DELETIONS) == sorted(values, reverse=True)
    assert header.find_element("xpath", "..").get_attribute("aria-sort") == "descending"


def test_words_and_choices_narrow_the_rows(browser: Any) -> None:
    browser.execute_script(choose("#filters [name=search]", "pgc"))
    assert browser.execute_script(METHODS) == ["pgc_grad_cam"] * 4
    browser.execute_script(choose("#filters [name=model]", "shapes_residual"))
    assert browser.execute_script(METHODS) == ["pgc_grad_cam"] * 2
    assert browser.find_element("id", "shown").text == "2 of 20 rows"
    browser.execute_script(
        choose("#filters [name=search]", "")
        + ";"
        + choose("#filters [name=model]", "").replace("const e", "const f").replace("e.", "f.")
    )
    browser.find_element("name", "once").click()
    assert "pgc_grad_cam" not in browser.execute_script(METHODS)
    browser.find_element("name", "once").click()


def test_another_image_paints_other_pixels(browser: Any) -> None:
    before, after = changed(browser, "document.getElementById('next').click()")
    assert before == after
    assert IMAGE_TWO in browser.find_element("id", "about").text


def test_a_method_and_a_class_come_and_go_with_their_maps_and_curves(browser: Any) -> None:
    lines = len(browser.find_elements("css selector", ".curve"))
    before, after = changed(browser, "document.querySelector('#methods input:checked').click()")
    assert len(after) == len(before) - 2  # of both classes
    assert len(browser.find_elements("css selector", ".curve")) == lines - 4
    _, after = changed(browser, "document.querySelector('#classes input[value=\"7\"]').click()")
    assert {card.rpartition(" ")[2] for card in after} == {"3"}


def test_colours_and_opacity_change_the_overlay(browser: Any) -> None:
    changed(browser, choose("#colours", "viridis"))
    changed(browser, choose("#opacity", "90"))
    changed(browser, "document.getElementById('cells').click()")


def test_a_phone_scrolls_in_one_direction_only(browser: Any) -> None:
    size = {"width": 390, "height": 800, "deviceScaleFactor": 1, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    assert browser.execute_script("return [innerWidth, document.documentElement.scrollWidth]") == [390, 390]
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_light_and_dark_follow_the_reader(browser: Any) -> None:
    found = []
    for scheme in ("light", "dark"):
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        found.append(browser.execute_script("return getComputedStyle(document.body).backgroundColor"))
    assert found == ["rgb(246, 247, 249)", "rgb(14, 18, 23)"]


def test_a_flagged_image_opens_in_the_gallery(browser: Any) -> None:
    changed(browser, "document.querySelector('.look[data-method=layer_cam]').click()")
    assert browser.find_element("css selector", ".card .badge").text == "constant"
    assert browser.get_log("browser") == []
