// What is in the window, or nearly. What is out of sight is asked for and drawn later: once it is scrolled to, pictures also when nothing
// else is to do. Beside a run that is followed they wait for the reader: what nobody sees would cost as much as what is seen.

/** Around the window, so that what is scrolled to is there already. */
const MARGIN = "100px";
/** Nothing else is to do when no picture has changed for so long. */
const QUIET_MS = 250;

const watched = new Map<Element, () => void>();
const inSight = new Set<Element>();
/** How each picture is painted, where it is not as it should be. */
const pictures = new Map<Element, () => void>();
const waiting = new Set<Element>();
let isSparing = false;
let timer: ReturnType<typeof setTimeout> | undefined;

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

/** @param paint paints the picture, unless it is as it should be @returns stops watching */
export function watchPicture(element: Element, paint: () => void): () => void {
  pictures.set(element, paint);
  const stop = watchSight(element, paint);
  return () => {
    pictures.delete(element);
    waiting.delete(element);
    stop();
  };
}

/** Paints a picture that changed, now or when it is its turn. */
export function paintPicture(element: Element): void {
  if (inSight.has(element)) pictures.get(element)?.();
  else if (!isSparing) paintLater([element]);
}

/** Whether pictures out of sight wait until they are scrolled to, rather than until nothing else is to do. */
export function spareUnseen(isSpared: boolean): void {
  if (isSparing === isSpared) return;
  isSparing = isSpared;
  if (!isSparing) paintLater(pictures.keys());
}

function paintLater(elements: Iterable<Element>): void {
  for (const element of elements) waiting.add(element);
  clearTimeout(timer);
  timer = setTimeout(paintNext, QUIET_MS);
}

/** One at a time, so that the page stays free in between. */
function paintNext(): void {
  const [element] = waiting;
  if (element === undefined) return;
  waiting.delete(element);
  pictures.get(element)?.();
  timer = setTimeout(paintNext);
}
