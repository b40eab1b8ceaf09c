import LimpetTestKit
import Testing

@Suite("A backend with a script")
struct ScriptedBackendTests {
    @Test("takes no connection of the one that is made after it has closed")
    func closes() throws {
        for _ in 0..<300 {
            let silent = try ScriptedBackend { connection, _ in _ = try connection.receiveAll() }
            let first = try TCPSocket(port: silent.port)
            silent.close()
            let backend = try ScriptedBackend { connection, _ in try connection.send("x") }
            defer { backend.close() }
            #expect(try TCPSocket(port: backend.port, timeout: 2).receive() == [UInt8(ascii: "x")])
            first.closeBoth()
        }
    }
}
