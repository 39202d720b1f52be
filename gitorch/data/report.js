"use strict";
// j and k go to the next and the previous task, n and p to the next and the previous file
(() => {
  const move = (selector, step) => {
    const places = [...document.querySelectorAll(selector)].filter((place) => place.offsetParent);
    const focused = places.indexOf(document.activeElement?.closest(selector));
    const tops = places.map((place) => place.getBoundingClientRect().top);
    const isHere = focused >= 0 && tops[focused] > -1 && tops[focused] < window.innerHeight;
    const byPlace = step > 0 ? tops.findIndex((top) => top > 1) : tops.findLastIndex((top) => top < -1);
    const place = places[isHere ? focused + step : byPlace];
    if (!place) return;
    if (place.tagName === "DETAILS") place.open = true;
    place.scrollIntoView({ block: "start" });
    (place.querySelector(":scope > summary") ?? place).focus({ preventScroll: true });
  };
  const keys = { j: ["section.task", 1], k: ["section.task", -1], n: ["details.file", 1], p: ["details.file", -1] };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !(event.key in keys)) return;
    move(...keys[event.key]);
  });
})();
