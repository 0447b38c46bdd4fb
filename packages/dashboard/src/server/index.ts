// engram-dashboard/server: serves the dashboard of a run on this machine.
export { type Dashboard, type DashboardOptions, serveDashboard } from "./serve.js";
export { startDashboard } from "./startDashboard.js";
