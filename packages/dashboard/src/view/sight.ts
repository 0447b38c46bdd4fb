// What is in the window, or nearly. Pictures out of sight are neither asked for nor drawn until they are scrolled to: beside a run that is
// followed, what nobody sees would cost as much as what is seen.

/** Around the window, so that what is scrolled to is there already. */
const MARGIN = "100px";
const watched = new Map<Element, () => void>();
const inSight = new Set<Element>();

const observer = new IntersectionObserver(
  (entries) => {
    for (const { target, isIntersecting } of entries) {
      const isNew = isIntersecting && !inSight.has(target);
      if (isIntersecting) inSight.add(target);
      else inSight.delete(target);
      if (isNew) watched.get(target)?.();
    }
  },
  { rootMargin: MARGIN },
);

/** All of a page is printed. */
addEventListener("beforeprint", () => {
  for (const onSight of watched.values()) onSight();
});

/** False until the browser has laid the element out for the first time; then `onSight` is called. */
export const isInSight = (element: Element): boolean => inSight.has(element);

/** @param onSight called whenever the element comes into sight @returns stops watching */
export function watchSight(element: Element, onSight: () => void): () => void {
  watched.set(element, onSight);
  observer.observe(element);
  return () => {
    watched.delete(element);
    inSight.delete(element);
    observer.unobserve(element);
  };
}
