/** How long a worker counts as alive after its last claim or heartbeat. It claims at least every 20 s. */
export const workerAliveSeconds = 60;
