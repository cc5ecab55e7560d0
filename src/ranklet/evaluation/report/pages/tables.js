"use strict";

// The number that a cell begins with, whatever spaces, commas and signs of percent stand in it.
const numberIn = (text) => parseFloat(text.replace(/[,\s]/g, "").replace("\u2212", "-"));

function compare(left, right) {
  const [first, second] = [numberIn(left), numberIn(right)];
  if (Number.isNaN(first) !== Number.isNaN(second)) return Number.isNaN(first) ? 1 : -1;
  return first - second || left.localeCompare(right);
}

// A click on a heading sorts by its column, a second one the other way round.
function makeSortable(table) {
  const headings = [...table.tHead.rows[0].cells];
  headings.forEach((heading, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    heading.append(button);
    button.addEventListener("click", () => {
      const falls = heading.getAttribute("aria-sort") === "ascending";
      for (const each of headings) each.removeAttribute("aria-sort");
      heading.setAttribute("aria-sort", falls ? "descending" : "ascending");
      const text = (row) => row.cells[column].textContent.trim();
      const rows = [...table.tBodies[0].rows];
      rows.sort((a, b) => (falls ? -1 : 1) * compare(text(a), text(b)));
      table.tBodies[0].append(...rows);
    });
  });
}

// Controls name the column they look at; a list wants the whole cell, a text box a part of it.
function makeFilter(controls) {
  const rows = [...document.getElementById(controls.dataset.table).tBodies[0].rows];
  const fields = [...controls.querySelectorAll("[data-column]")];
  const matches = (row, field) => {
    const text = row.cells[field.dataset.column].textContent;
    if (field.tagName === "SELECT") return !field.selectedIndex || text === field.value;
    return text.toLowerCase().includes(field.value.trim().toLowerCase());
  };
  const show = () => {
    for (const row of rows) row.hidden = !fields.every((field) => matches(row, field));
    const shown = rows.filter((row) => !row.hidden).length;
    controls.querySelector("output").textContent = `${shown} of ${rows.length} rows`;
  };
  controls.addEventListener("input", show);
  controls.hidden = false;
  show();
}

document.querySelectorAll("table.sorts").forEach(makeSortable);
document.querySelectorAll(".filters").forEach(makeFilter);
