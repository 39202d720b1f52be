"use strict";
// j and k go to the next and the previous task, n and p to the next and the previous file
(() => {
  const move = (selector, step) => {
    const places = [...document.querySelectorAll(selector)];
    const middle = window.innerHeight / 3;
    const tops = places.map((place) => place.getBoundingClientRect().top);
    const next = step > 0 ? tops.findIndex((top) => top > middle + 1) : tops.findLastIndex((top) => top < -1);
    const place = places[next];
    if (!place) return;
    if (place.tagName === "DETAILS") place.open = true;
    place.scrollIntoView({ block: "start" });
    (place.querySelector("summary") ?? place).focus({ preventScroll: true });
  };
  const keys = { j: ["section.task", 1], k: ["section.task", -1], n: ["details.file", 1], p: ["details.file", -1] };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !(event.key in keys)) return;
    move(...keys[event.key]);
  });
})();
