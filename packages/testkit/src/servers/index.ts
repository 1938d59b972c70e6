export { hasPostgres, type PostgresServer, type PostgresServerOptions, startPostgres } from './postgres.ts'
export { hasRedis, type RedisCluster, type RedisServer, startRedis, startRedisCluster } from './redis.ts'
export { hasSmallDisks, makeSmallDisk, type SmallDisk } from './small-disk.ts'
export { startTcpProxy, type TcpProxy } from './tcp-proxy.ts'
