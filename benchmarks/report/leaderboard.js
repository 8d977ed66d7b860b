// Sorting of the leaderboard by any column, and filtering by words and by menus.
const ranking = document.getElementById("ranking");

function sortBy(header, body) {
  const entries = [...body.rows].map((row) => ({ row, value: row.cells[column(header)].dataset.value }));
  const ascending = header.getAttribute("aria-sort") === "none"
    ? header.dataset.first === "ascending"
    : header.getAttribute("aria-sort") === "descending";
  const compare = header.dataset.kind === "number" ? numeric : (a, b) => a.localeCompare(b);
  entries.sort((a, b) => undefinedLast(a.value, b.value, header.dataset.kind)
    ?? (ascending ? compare(a.value, b.value) : compare(b.value, a.value)));
  for (const other of header.closest("thead").querySelectorAll("[aria-sort]")) other.setAttribute("aria-sort", "none");
  header.setAttribute("aria-sort", ascending ? "ascending" : "descending");
  body.append(...entries.map(({ row }) => row));
}

function numeric(a, b) {
  return Number(a) - Number(b);
}

function undefinedLast(a, b, kind) {
  if (kind !== "number") return undefined;
  const [noA, noB] = [Number.isNaN(Number(a)), Number.isNaN(Number(b))];
  return noA || noB ? noA - noB : undefined;
}

// The number of a header's column. Headers are in two rows: a metric's name is above those of its two columns.
function column(header) {
  const [top, below] = header.closest("thead").rows;
  const singles = [...top.cells].flatMap((cell) => cell.colSpan === 1 ? [cell] : Array(cell.colSpan).fill(null));
  const inner = [...below.cells];
  return singles.map((cell) => cell ?? inner.shift()).indexOf(header);
}

function filterRows(form, body) {
  const words = form.elements.search.value.toLowerCase().split(/\s+/).filter(Boolean);
  const selects = [...form.querySelectorAll("select")];
  let shown = 0;
  for (const row of body.rows) {
    const text = `${row.cells[0].textContent} ${Object.values(row.dataset).join(" ")}`.toLowerCase();
    row.hidden = !(words.every((word) => text.includes(word))
      && selects.every((select) => !select.value || row.dataset[select.name] === select.value)
      && !(form.elements.once?.checked && row.dataset.repeat));
    shown += !row.hidden;
  }
  document.getElementById("shown").textContent = `${shown} of ${body.rows.length} rows`;
}

if (ranking) {
  const [body, form] = [ranking.tBodies[0], document.getElementById("filters")];
  ranking.tHead.addEventListener("click", (event) => {
    const header = event.target.closest("button")?.closest("th");
    if (header) sortBy(header, body);
  });
  for (const event of ["input", "change"]) form.addEventListener(event, () => filterRows(form, body));
  form.addEventListener("submit", (event) => event.preventDefault());
  filterRows(form, body);
}
