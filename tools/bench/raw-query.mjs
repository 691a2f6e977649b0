/** What any list of the newest hundred has to ask of the index, and nothing more: the reference of the list rows. */
export const NEWEST_ROWS = `SELECT key, updated_at, session_id, file, label, spawned_by, parent_key, status, row
  FROM session WHERE visibility = 0 ORDER BY sort_at DESC, id LIMIT 100`;
/** Everything that the index knows of its sessions, read once in the order in which it lies. */
export const WHOLE_INDEX = `SELECT s.key, s.session_id, s.file, s.updated_at, s.visibility, e.json
  FROM session s JOIN entry e ON e.id = s.id ORDER BY s.id`;
