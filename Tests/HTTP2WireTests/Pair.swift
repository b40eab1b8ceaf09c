import HTTP2Wire
import LimpetTestKit

/// A client and a server that hear each other.
struct Pair {
    let client: HTTP2Side
    let server: HTTP2Side

    init(server settings: HTTP2Settings = HTTP2Settings(.server)) {
        client = HTTP2Side(HTTP2Settings(.client))
        server = HTTP2Side(settings)
        exchange()
        _ = (client.takeEvents(), server.takeEvents())
    }

    /// Passes bytes on until neither has any.
    func exchange() {
        while true {
            let (up, down) = (client.takeOutput(), server.takeOutput())
            if up.isEmpty, down.isEmpty { return }
            server.receive(up)
            client.receive(down)
        }
    }
}
