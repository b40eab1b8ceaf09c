import Affinity

/// Text for traces.
extension Simulation {
    func describe(_ operation: StoreOperation) -> String {
        let session = name(operation.fingerprint)
        return switch operation {
        case .create(_, let backend, _, _): "create \(session) \(name(Binding(backend: backend, epoch: 1)))"
        case .offer(_, let binding, _, _): "offer \(session) \(name(binding))"
        case .restore(_, let binding, _, _): "restore \(session) \(name(binding))"
        case .rebind(_, let from, let backend, _, _):
            "rebind \(session) \(name(from)) to \(name(Binding(backend: backend, epoch: from.epoch + 1)))"
        case .touch: "touch \(session)"
        case .drop(_, let above, _): "drop \(session) above \(above)"
        case .read: "look at \(session)"
        }
    }

    func describe(_ result: StoreResult) -> String {
        switch result {
        case .written: "written"
        case .record(let record): "record \(name(record.binding)) for \(record.remainingMilliseconds) ms"
        case .readOnly(let record): "read only \(name(record.binding))"
        case .absent: "absent"
        case .foreign: "foreign"
        case .unavailable(let failure): "unavailable: \(failure.rawValue)"
        }
    }

    func describe(_ connection: SimulatedConnection) -> String {
        switch connection.kind {
        case .subscriber: "the subscription at redis \(connection.server.id)"
        case .data(let loop): "loop \(loop)'s connection to redis \(connection.server.id)"
        }
    }
}
