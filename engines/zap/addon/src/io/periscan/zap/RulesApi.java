package io.periscan.zap;

import io.periscan.zap.active.ActiveRule;
import io.periscan.zap.active.CallbackListener;
import io.periscan.zap.page.Deadline;
import io.periscan.zap.passive.PassiveRule;
import io.periscan.zap.passive.PassiveRules;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import net.sf.json.JSONObject;
import org.parosproxy.paros.control.Control;
import org.parosproxy.paros.core.scanner.Plugin;
import org.zaproxy.zap.extension.api.ApiAction;
import org.zaproxy.zap.extension.api.ApiException;
import org.zaproxy.zap.extension.api.ApiImplementor;
import org.zaproxy.zap.extension.api.ApiResponse;
import org.zaproxy.zap.extension.api.ApiResponseElement;
import org.zaproxy.zap.extension.api.ApiResponseList;
import org.zaproxy.zap.extension.api.ApiResponseSet;
import org.zaproxy.zap.extension.api.ApiView;
import org.zaproxy.zap.extension.ascan.ExtensionActiveScan;

/**
 * The add-on's part of the API, under `periscan`. Views: `rules`, what is loaded, with what the add-on knows of each; `listener`, where targets can be told to
 * call. Actions: `setListener` puts the listener on another address, or with none ends it; `setRuleTime` says what a passive rule may take for a page.
 */
final class RulesApi extends ApiImplementor {
    RulesApi() {
        addApiView(new ApiView("rules"));
        addApiView(new ApiView("listener"));
        addApiAction(new ApiAction("setListener", new String[] {"address"}));
        addApiAction(new ApiAction("setRuleTime", new String[] {"milliseconds"}));
    }

    @Override
    public String getPrefix() {
        return "periscan";
    }

    @Override
    public ApiResponse handleApiView(String name, JSONObject params) throws ApiException {
        return switch (name) {
            case "rules" -> listRules();
            case "listener" -> new ApiResponseElement(name, CallbackListener.address());
            default -> throw new ApiException(ApiException.Type.BAD_VIEW, name);
        };
    }

    @Override
    public ApiResponse handleApiAction(String name, JSONObject params) throws ApiException {
        switch (name) {
            case "setListener" -> {
                String address = getParam(params, "address", "");
                CallbackListener.close();
                if (!address.isBlank() && !CallbackListener.open(address)) throw new ApiException(ApiException.Type.ILLEGAL_PARAMETER, "address");
            }
            case "setRuleTime" -> Deadline.setMillisecondsPerPage(getParam(params, "milliseconds", Deadline.USUAL_MILLISECONDS));
            default -> throw new ApiException(ApiException.Type.BAD_ACTION, name);
        }
        return ApiResponseElement.OK;
    }

    private static ApiResponse listRules() {
        ApiResponseList list = new ApiResponseList("rules");
        Stream<Rule> passive = PassiveRules.all().stream().map(PassiveRule::rule);
        Stream.concat(passive, activeRules()).forEach((rule) -> list.addItem(new ApiResponseSet<>("rule", describe(rule))));
        return list;
    }

    /** As the core loaded them from ZapAddOn.xml. */
    private static Stream<Rule> activeRules() {
        List<Plugin> plugins = Control.getSingleton()
                .getExtensionLoader()
                .getExtension(ExtensionActiveScan.class)
                .getPolicyManager()
                .getDefaultScanPolicy()
                .getPluginFactory()
                .getAllPlugin();
        return plugins.stream().filter(ActiveRule.class::isInstance).map((plugin) -> ((ActiveRule) plugin).rule());
    }

    private static Map<String, String> describe(Rule rule) {
        Map<String, String> fields = new LinkedHashMap<>();
        fields.put("id", String.valueOf(rule.id()));
        fields.put("title", rule.title());
        fields.put("kind", rule.isPassive() ? "passive" : "active");
        fields.put("level", rule.level().name());
        fields.put("cwe", String.valueOf(rule.cwe()));
        return fields;
    }
}
