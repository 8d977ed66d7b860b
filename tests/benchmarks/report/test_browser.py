"""Tests of the report in a browser: what a reader does, and what the page then shows."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from heatmark.benchmarks.tables.gathered import read_table

webdriver = pytest.importorskip("selenium.webdriver", reason="needs selenium")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
FLAGS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run",
         "--disable-sync"]  # fmt: skip
Keys = pytest.importorskip("selenium.webdriver.common.keys").Keys
pytestmark = pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="needs chromium and chromedriver")

METHODS = (
    "return [...document.querySelectorAll('#ranking tbody tr:not([hidden])')].map((row) => row.cells[0].dataset.value)"
)
DELETIONS = (
    "return [...document.querySelectorAll('#ranking tbody tr')]"
    ".map((row) => Number(row.querySelector('td.num').dataset.value))"
)
PIXELS = "return [...document.querySelectorAll('.card canvas')].map((canvas) => canvas.toDataURL()).join()"
CARDS = (
    "return [...document.querySelectorAll('.card[data-method]')].map((c) => `${c.dataset.method} ${c.dataset.target}`)"
)
IMAGE_TWO = "shapes-test-00001"
HANG_S = 1800
"""Seconds after which a browser that does not answer is taken for dead; no slow machine needs as many."""
DRAWN = "return document.querySelectorAll('.card[data-method]').length > 0"


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in [*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"]:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    driver.set_page_load_timeout(HANG_S)
    driver.set_script_timeout(HANG_S)
    yield driver
    driver.quit()


@pytest.fixture(scope="module")
def browser(chromium: Any, html: str, tmp_path_factory: pytest.TempPathFactory) -> Any:
    return opened(chromium, html, tmp_path_factory.mktemp("page"))


def opened(driver: Any, html: str, folder: Path) -> Any:
    """Open a page, and wait until its gallery has maps."""
    file = folder / "report.html"
    file.write_text(html, encoding="utf-8")
    driver.get(file.as_uri())
    wait(driver, DRAWN)
    return driver


def wait(browser: Any, script: str, *arguments: object) -> None:
    from selenium.webdriver.support.wait import WebDriverWait

    WebDriverWait(browser, HANG_S).until(lambda driver: driver.execute_script(script, *arguments))


def changed(browser: Any, action: str | Callable[[], None]) -> tuple[list[str], list[str]]:
    """Do something in the gallery; wait until its pixels differ, and return the cards before and after."""
    pixels, before = browser.execute_script(PIXELS), browser.execute_script(CARDS)
    action() if callable(action) else browser.execute_script(action)
    wait(browser, f"return (() => {{ {PIXELS} }})() !== arguments[0]", pixels)
    return before, browser.execute_script(CARDS)


def typed(selector: str, value: str) -> str:
    return (
        f"const e = document.querySelector({selector!r}); e.value = {value!r};"
        "e.dispatchEvent(new Event('input', { bubbles: true }))"
    )


def pick(browser: Any, selector: str, text: str) -> Callable[[], None]:
    """Return what picks an option by its text, as a person does."""
    from selenium.webdriver.support.select import Select

    return lambda: Select(browser.find_element("css selector", selector)).select_by_visible_text(text)


def texts(browser: Any, selector: str) -> list[str]:
    return [element.text for element in browser.find_elements("css selector", selector)]


def test_it_opens_without_messages_on_the_console(browser: Any) -> None:
    assert browser.get_log("browser") == []
    assert browser.title == "a run · Heatmark"


def test_a_click_on_a_header_sorts_and_another_reverses_the_order(browser: Any) -> None:
    header = browser.find_elements("css selector", "#ranking thead tr:nth-child(2) button")[0]
    header.click()
    values = browser.execute_script(DELETIONS)
    assert values == sorted(values)
    assert len(values) == 20
    header.click()
    assert browser.execute_script(DELETIONS) == sorted(values, reverse=True)
    assert header.find_element("xpath", "..").get_attribute("aria-sort") == "descending"


def test_search_and_menus_filter_the_rows(browser: Any) -> None:
    browser.find_element("name", "search").send_keys("pgc")
    assert browser.execute_script(METHODS) == ["pgc_grad_cam"] * 4
    pick(browser, "#filters [name=model]", "shapes_residual")()
    assert browser.execute_script(METHODS) == ["pgc_grad_cam"] * 2
    assert browser.find_element("id", "shown").text == "2 of 20 rows"
    browser.find_element("name", "search").send_keys(Keys.BACKSPACE * 3)
    pick(browser, "#filters [name=model]", "all models")()
    assert len(browser.execute_script(METHODS)) == 20
    browser.find_element("name", "once").click()
    assert "pgc_grad_cam" not in browser.execute_script(METHODS)
    browser.find_element("name", "once").click()


def test_another_image_shows_other_pixels(browser: Any) -> None:
    before, after = changed(browser, "document.getElementById('next').click()")
    assert before == after
    assert IMAGE_TWO in browser.find_element("id", "about").text


def test_a_method_and_a_class_are_shown_and_hidden_with_their_maps_and_curves(browser: Any) -> None:
    lines = len(browser.find_elements("css selector", ".curve"))
    before, after = changed(browser, "document.querySelector('#methods input:checked').click()")
    assert len(after) == len(before) - 2  # of both classes
    assert len(browser.find_elements("css selector", ".curve")) == lines - 4
    _, after = changed(browser, "document.querySelector('#classes input[value=\"7\"]').click()")
    assert {card.rpartition(" ")[2] for card in after} == {"3"}


def test_colours_and_opacity_change_the_overlay(browser: Any) -> None:
    changed(browser, pick(browser, "#colours", "viridis"))
    changed(browser, typed("#opacity", "90"))
    changed(browser, "document.getElementById('raw').click()")


def test_a_phone_scrolls_in_one_direction_only(browser: Any) -> None:
    size = {"width": 390, "height": 800, "deviceScaleFactor": 1, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    assert browser.execute_script("return [innerWidth, document.documentElement.scrollWidth]") == [390, 390]
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_light_and_dark_follow_the_readers_preference(browser: Any) -> None:
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


@pytest.fixture
def gallery(chromium: Any, varied_html: str, tmp_path: Path) -> Any:
    """Return the gallery of the run of several models and layers, as it opens."""
    return opened(chromium, varied_html, tmp_path)


CURVES = "return [...document.querySelectorAll('.curve')].map((line) => line.getAttribute('points')).join()"
CHIPS = "#methods .chip"


def test_another_model_shows_its_layers_methods_maps_and_curves(gallery: Any) -> None:
    assert texts(gallery, "#layer option") == ["features.15", "all layers"]
    curves, values = gallery.execute_script(CURVES), texts(gallery, ".card dd")
    _, after = changed(gallery, pick(gallery, "#subject", "shapes_residual (cpu, fp32)"))
    assert texts(gallery, "#layer option") == ["layer4", "layer3", "all layers"]  # the smallest maps first
    assert gallery.find_element("id", "layer").get_property("value") == "layer4"
    assert texts(gallery, CHIPS) == ["grad_cam", "layer_cam", "random"]
    assert sorted(after) == ["grad_cam 3", "layer_cam 3", "random 3"]
    assert gallery.execute_script(CURVES) != curves
    assert texts(gallery, ".card dd") != values


def test_another_layer_shows_its_maps_and_curves(gallery: Any) -> None:
    changed(gallery, pick(gallery, "#subject", "shapes_residual (cpu, fp32)"))
    curves, values = gallery.execute_script(CURVES), texts(gallery, ".card[data-method=grad_cam] dd")
    changed(gallery, pick(gallery, "#layer", "layer3"))
    assert gallery.execute_script(CURVES) != curves
    assert texts(gallery, ".card[data-method=grad_cam] dd") != values
    _, after = changed(gallery, pick(gallery, "#layer", "all layers"))
    assert after.count("grad_cam 3") == 2


def test_an_image_is_picked_from_the_list(gallery: Any) -> None:
    changed(gallery, pick(gallery, "#image", f"{IMAGE_TWO} (square)"))
    assert gallery.find_element("id", "about").text == f"{IMAGE_TWO} (square): 4 maps"


def test_where_a_model_lacks_the_chosen_methods_others_are_shown(gallery: Any) -> None:
    for method in ("grad_cam", "layer_cam", "random"):
        gallery.find_element("css selector", f"#methods [value={method}]").click()
    _, after = changed(gallery, pick(gallery, "#subject", "shapes_residual (cpu, fp32)"))
    assert sorted(after) == ["grad_cam 3", "layer_cam 3", "random 3"]


def test_devices_and_precisions_are_picked_and_found(gallery: Any) -> None:
    assert texts(gallery, "#subject option") == [
        "shapes_plain (cpu, fp32)", "shapes_residual (cpu, fp32)", "shapes_residual (cuda, bf16)",
        "shapes_residual (cuda, fp32)", "all models",
    ]  # fmt: skip
    changed(gallery, pick(gallery, "#subject", "shapes_residual (cuda, fp32)"))
    changed(gallery, pick(gallery, "#subject", "shapes_residual (cuda, bf16)"))
    gallery.find_element("name", "search").send_keys("bf16")
    assert gallery.find_element("id", "shown").text == "5 of 19 rows"
    gallery.find_element("name", "search").send_keys(Keys.BACKSPACE * 4)
    pick(gallery, "#filters [name=device]", "cuda")()
    assert gallery.find_element("id", "shown").text == "10 of 19 rows"
    pick(gallery, "#filters [name=precision]", "fp32")()
    assert gallery.find_element("id", "shown").text == "5 of 19 rows"


def test_a_flagged_image_opens_in_its_own_setting(gallery: Any, varied: Path) -> None:
    results = read_table(varied / "results.parquet")
    wanted = {"layer": "layer3", "method": "layer_cam", "device": "cuda", "precision": "bf16"}
    (key,) = results.loc[(results[list(wanted)] == wanted).all(axis=1), "cell"].unique()
    changed(gallery, f"document.querySelector('.look[data-cell=\"{key}\"]').click()")
    assert gallery.execute_script("return [subject, layer].map((e) => e.selectedOptions[0].text)") == [
        "shapes_residual (cuda, bf16)", "layer3",
    ]  # fmt: skip
    assert texts(gallery, ".card .badge") == ["constant"]


def test_the_leaderboard_fits_a_small_laptop(gallery: Any) -> None:
    size = {"width": 1100, "height": 700, "deviceScaleFactor": 1, "mobile": False}
    gallery.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    clipped = "const box = document.getElementById('ranking').parentElement; return box.scrollWidth - box.clientWidth"
    assert gallery.execute_script(clipped) == 0
    gallery.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
