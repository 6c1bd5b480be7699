/** What a command says while the platform is away under the run that it follows. */
import { messageOf, MillraceError } from '../../runtime/ports/errors.ts';

/** A platform that is away so long is not waited for any longer. */
const awayMsMax = 300_000;
/** Attempts to reach it come at least so often: later ones belong to another time that it is away. */
const awayAgainMs = 30_000;

/** Takes each failed attempt to reach the platform: tells that it is away, once each time, and gives up when it stays so. */
export function whenAway(
  runId: string,
  note: (text: string) => void,
  give: (up: MillraceError) => void,
): (error: unknown) => void {
  let sinceMs = 0;
  let lastMs = -Infinity;
  return (error) => {
    const nowMs = performance.now();
    const first = nowMs - lastMs > awayAgainMs;
    lastMs = nowMs;
    if (first) {
      sinceMs = nowMs;
      note(
        `the platform does not answer (${messageOf(error)}): waiting for it, at most ${awayMsMax / 60_000} min; Ctrl-C leaves`,
      );
    } else if (nowMs - sinceMs > awayMsMax) {
      const how = `\`millrace runs show ${runId}\` tells how the run stands once it is up again`;
      give(new MillraceError('UNAVAILABLE', `the platform has not answered for ${awayMsMax / 60_000} min: ${how}`));
    }
  };
}
