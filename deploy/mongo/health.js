// Health check of MongoDB, and what makes it a replica set of one at its first start. For mongosh.
/* global db, rs, quit */
try {
  rs.status();
} catch (error) {
  if (error.codeName !== 'NotYetInitialized') throw error;
  rs.initiate({ _id: 'smsbatch', members: [{ _id: 0, host: 'mongo:27017' }] });
}
quit(db.hello().isWritablePrimary ? 0 : 1);
