export interface PickedTask {
  taskId: string;
  scanId: string;
}

export interface Wanted {
  /** The types that the worker has ready. */
  types: string[];
  /** Those of them that fit into its memory now. */
  fitting: string[];
}

/** Finds the task that is next, and sets it aside for a moment, so that no other worker is given it meanwhile. */
export interface TaskPicker {
  /** Undefined where there is none for this worker. Tasks that another server queued are seen within a second or so: the upkeep rings the bell for them. */
  pick(wanted: Wanted): Promise<PickedTask | undefined>;
}
