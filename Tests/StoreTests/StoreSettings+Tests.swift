import LimpetTestKit
import Store

extension StoreSettings {
    /// A budget so long that a slow machine is no reason to be told "late".
    static func patient(_ server: RedisServer) throws -> StoreSettings {
        try StoreSettings(
            endpoint: RedisEndpoint("redis://127.0.0.1:\(server.port)"), connectTimeout: .seconds(2),
            commandTimeout: .seconds(5), lease: .seconds(10))
    }

    /// The defaults.
    static func plain(port: Int) throws -> StoreSettings {
        try StoreSettings(endpoint: RedisEndpoint("redis://127.0.0.1:\(port)"))
    }
}
