/** The door of the maintenance-scheduler: the service that decides when stores are tidied. */
export { createMaintenanceScheduler } from './maintenance-scheduler';
export type { MaintenanceScheduler, MaintenanceSchedulerDeps } from './maintenance-scheduler';
export { LEADER_KEY } from './leadership';
export { TICK_MS } from './schedule';
export { factsRequest, planStore, reportOf } from './store-plan';
export type { CleanupChoice, PlanOccasion, StorePlan } from './store-plan';
