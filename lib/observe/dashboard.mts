// The ES module face of `zerohop/dashboard`; see dashboard.ts.
export { Dashboard, type DashboardOptions, type MoneyOptions, serveDashboard } from './dashboard.js';
