#include "form_ticket.h"

#include "media.h"

#include <stdlib.h>
#include <string.h>

int form_read(const char *body, size_t len, const char *content_type, struct form *ret,
              struct violations *ret_violations)
{
    const char *why;
    int failed = media_is_multipart(content_type)
                     ? form_multipart(body, len, content_type, ret, &why)
                     : form_urlencoded(body, len, ret, &why);
    if (!failed)
        return 0;
    ret_violations->more = false;
    ret_violations->malformed = true;
    ret_violations->n = 0;
    violate(ret_violations, "", "%s", why);
    return -1;
}

static bool is_among(const char *const *list, const char *name)
{
    for (; list && *list; list++)
        if (strcmp(*list, name) == 0)
            return true;
    return false;
}

int form_ticket(const struct form *form, const char *const *skip, const char *default_source,
                struct ticket_fields *ret, struct violations *ret_violations)
{
    static const char prefix[] = "customer.";
    json_t *root = json_object(), *customer = json_object();
    for (size_t i = 0; i < form->n; i++) {
        const struct form_field *f = &form->field[i];
        if (!*f->value || is_among(skip, f->name))
            continue;
        bool of_customer = strncmp(f->name, prefix, sizeof prefix - 1) == 0;
        json_object_set_new(of_customer ? customer : root,
                            f->name + (of_customer ? sizeof prefix - 1 : 0), json_string(f->value));
    }
    if (json_object_size(customer) && !json_object_get(root, "customer")) /* else it is refused */
        json_object_set(root, "customer", customer);
    json_decref(customer);
    return ticket_validate_json(root, default_source, ret, ret_violations);
}
