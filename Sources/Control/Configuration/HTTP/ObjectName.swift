/// What entry points, routers, services, middlewares and servers may be called: names stand in logs, metrics, messages
/// and answers of the admin listener.
enum ObjectName {
    /// C0, DEL or C1.
    static func holdsControl(_ name: String) -> Bool {
        name.unicodeScalars.contains { $0.value < 0x20 || (0x7F...0x9F).contains($0.value) }
    }
}
