/** What every panel is given. */

import type { View } from "./filter";
import type { Run } from "./types";

export interface Page {
  run: Run;
  view: View;
  /** The condition of `view`, as SQL. */
  where: string;
  /** Rises when there are new trajectories. */
  tick: number;
  go: (changes: Partial<View>) => void;
  /** Takes all filters away. */
  clear: () => void;
  /** Opens a trajectory; `among` are those that "next" and "previous" lead to. */
  open: (id: string, among?: string[]) => void;
}
